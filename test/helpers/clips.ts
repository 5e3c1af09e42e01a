// Clips for tests, made by ffmpeg's own test pictures.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { need } from './need.ts'

export const hasFfmpeg = (): boolean => need('ffmpeg', Bun.which('ffmpeg') !== null)

export interface ClipRecipe {
  width?: number
  height?: number
  fps?: string | number
  secs?: number
  /** By its ending: mp4, webm, avi, gif, ts, mkv, mov. */
  ending?: string
  /** ffmpeg's words for the output. */
  more?: readonly string[]
  /** Its source of pictures: testsrc, testsrc2, mandelbrot, … */
  source?: string
}

const codecs: Readonly<Record<string, readonly string[]>> = {
  mp4: ['-c:v', 'libx264', '-preset', 'veryfast'],
  mov: ['-c:v', 'libx264', '-preset', 'veryfast'],
  mkv: ['-c:v', 'libx264', '-preset', 'veryfast'],
  ts: ['-c:v', 'libx264', '-preset', 'veryfast'],
  webm: ['-c:v', 'libvpx-vp9', '-deadline', 'realtime', '-cpu-used', '8'],
  avi: ['-c:v', 'mpeg4'],
}

export function clipOf(recipe: ClipRecipe = {}): Uint8Array {
  const { width = 112, height = 84, fps = 10, secs = 2, ending = 'mp4', more = [], source = 'testsrc' } = recipe
  const input = `${source}=size=${width}x${height}:rate=${fps}:duration=${secs}`
  const pixels = ending === 'gif' ? [] : ['-pix_fmt', 'yuv420p']
  return made(input, [...pixels, ...(codecs[ending] ?? []), ...more], ending)
}

/** An MP4 that has no picture. */
export const soundOf = (): Uint8Array => made('sine=duration=1', ['-c:a', 'aac'], 'mp4')

function made(source: string, output: readonly string[], ending: string): Uint8Array {
  const folder = mkdtempSync(join(tmpdir(), 'clips-'))
  try {
    const file = join(folder, `clip.${ending}`)
    const words = ['-v', 'error', '-threads', '1', '-f', 'lavfi', '-i', source, ...output, file]
    const { exitCode, stderr } = Bun.spawnSync(['ffmpeg', ...words], { stdin: 'ignore' })
    if (exitCode !== 0) throw new Error(`ffmpeg: ${stderr}`)
    return new Uint8Array(readFileSync(file))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

export const dataUrl = (bytes: Uint8Array, type = 'video/mp4'): string => `data:${type};base64,${Buffer.from(bytes).toString('base64')}`
