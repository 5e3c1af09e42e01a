// A real Chromium that opens a page of ours and tells what it saw.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export const chromium = Bun.which('chromium') ?? Bun.which('google-chrome')

/**
 * Serves `files` and a page that runs `script`, an async function body whose result comes back as JSON. Rejects with its error, or after `limitMs`.
 */
export async function inChromium(
  script: string,
  files: Record<string, { bytes: Uint8Array; type: string }>,
  limitMs = 60_000,
): Promise<unknown> {
  const profile = mkdtempSync(join(tmpdir(), 'chromium-'))
  const told = Promise.withResolvers<unknown>()
  const page = `<!doctype html><script type="module">
    const run = async () => { ${script} }
    const said = await run().then((value) => ({ value }), (error) => ({ error: String(error) }))
    await fetch('/told', { method: 'POST', body: JSON.stringify(said) })
  </script>`
  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    async fetch(request) {
      const { pathname } = new URL(request.url)
      if (pathname === '/') return new Response(page, { headers: { 'content-type': 'text/html' } })
      if (pathname === '/told') {
        told.resolve(await request.json())
        return new Response()
      }
      const file = files[pathname.slice(1)]
      return file
        ? new Response(file.bytes as Uint8Array<ArrayBuffer>, { headers: { 'content-type': file.type } })
        : new Response('', { status: 404 })
    },
  })
  const browser = Bun.spawn(
    [
      chromium!,
      ...['--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run', '--force-color-profile=srgb'],
      ...['--autoplay-policy=no-user-gesture-required', `--user-data-dir=${profile}`, '--remote-debugging-port=0', server.url.href],
    ],
    { stdin: 'ignore', stdout: 'ignore', stderr: 'ignore', detached: true },
  )
  const timer = setTimeout(() => told.reject(new Error(`Chromium said nothing within ${limitMs} ms`)), limitMs)
  try {
    const said = (await told.promise) as { value?: unknown; error?: string }
    if (said.error !== undefined) throw new Error(said.error)
    return said.value
  } finally {
    clearTimeout(timer)
    // Its helpers are in its process group.
    process.kill(-browser.pid, 'SIGKILL')
    await browser.exited
    await server.stop(true)
    rmSync(profile, { recursive: true, force: true })
  }
}
