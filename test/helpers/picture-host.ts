// A web server of the tests that has pictures for users to name, and all that can go wrong with one.
import { pngOf } from './pictures.ts'

export interface PictureHost {
  readonly url: string
  /** How often a path was asked for. */
  asked(path: string): number
  stop(): Promise<void>
}

/** `/a.png`, `/b.png` and others by `files`; what `answers` has by its path. */
export async function startPictureHost(
  answers: Record<string, (request: Request) => Response | Promise<Response>> = {},
): Promise<PictureHost> {
  const files = new Map(await Promise.all(['/a.png', '/b.png'].map(async (path, i) => [path, await pngOf(112, 84, i + 1)] as const)))
  const asked: string[] = []
  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    idleTimeout: 0,
    fetch(request) {
      const path = new URL(request.url).pathname
      asked.push(path)
      const file = files.get(path)
      return file === undefined
        ? (answers[path]?.(request) ?? new Response('no', { status: 404 }))
        : new Response(file as Uint8Array<ArrayBuffer>)
    },
  })
  return {
    url: `http://127.0.0.1:${server.port}`,
    asked: (path) => asked.filter((one) => one === path).length,
    stop: () => server.stop(true),
  }
}
