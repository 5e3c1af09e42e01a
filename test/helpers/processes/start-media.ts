// The product as an image or video worker with the mock engine: everything it stores lies in a folder of its own.
import { mkdtempSync } from 'node:fs'
import { readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Started, type StartOptions, start } from './start.ts'

export interface StartedMedia extends Started {
  /** As clients name it. */
  model: string
  /** Where finished files and the states of jobs lie. */
  folder: string
  /** What the media store holds. */
  files(): Promise<string[]>
}

const roles = {
  image: ['--image-diffusion-worker', '--model-path', 'models/tiny-FLUX.1-dev'],
  video: ['--video-generation-worker', '--model-path', 'models/tiny-Wan2.1-T2V-1.3B'],
} as const

export interface StartMediaOptions extends Pick<StartOptions, 'args' | 'env' | 'readySecs'> {
  /** Of an earlier server; it stays when this one ends. */
  folder?: string
}

export async function startMedia(makes: 'image' | 'video', options: StartMediaOptions = {}): Promise<StartedMedia> {
  const folder = options.folder ?? mkdtempSync(join(tmpdir(), 'media-'))
  const media = join(folder, 'files')
  const server = await start({
    args: [...roles[makes], ...(options.args ?? [])],
    ...(options.readySecs === undefined ? {} : { readySecs: options.readySecs }),
    env: { DYN_MEDIA_OUTPUT_FS_URL: `file://${media}`, DYN_MEDIA_JOBS_FOLDER: join(folder, 'jobs'), ...options.env },
  })
  return {
    ...server,
    model: roles[makes][2],
    folder,
    async files() {
      const all = await readdir(media, { recursive: true, withFileTypes: true }).catch(() => [])
      return all
        .filter((one) => one.isFile())
        .map((one) => join(one.parentPath, one.name).slice(media.length + 1))
        .sort()
    },
    async stop(ms) {
      const code = await server.stop(ms)
      if (options.folder === undefined) await rm(folder, { recursive: true, force: true })
      return code
    },
  }
}

// biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
export const bodyOf = (answer: Response | Promise<Response>): Promise<any> => Promise.resolve(answer).then((one) => one.json())
