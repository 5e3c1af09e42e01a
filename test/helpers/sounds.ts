// Sounds for tests: plain WAV files, and by ffmpeg what else people send.
import { wavFile } from '../../src/media/input/sound/wav.ts'

/** A tone that swells and fades, 16 bits, one channel. */
export function toneOf(secs: number, hertz: number, rate = 16_000): Uint8Array {
  const samples = Int16Array.from({ length: Math.round(secs * rate) }, (_, i) =>
    Math.round(6000 * Math.sin((2 * Math.PI * hertz * i) / rate) * (1 + Math.sin((9 * i) / rate))),
  )
  return wavFile(new Uint8Array(samples.buffer), rate, false)
}

/** The same in another form: ffmpeg's words for the output, its format last. */
export function soundAs(file: Uint8Array, ...words: readonly string[]): Uint8Array {
  const format = words.at(-1)!
  const { exitCode, stdout, stderr } = Bun.spawnSync(
    ['ffmpeg', '-v', 'error', '-i', 'pipe:0', ...words.slice(0, -1), '-f', format, 'pipe:1'],
    { stdin: file },
  )
  if (exitCode !== 0) throw new Error(`ffmpeg: ${stderr}`)
  return new Uint8Array(stdout)
}
