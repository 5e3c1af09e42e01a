// What ffmpeg writes to its standard error, kept within bounds, and what it means. Its own words are for the log: they name devices, paths and builds.
import { AppError } from '../../lib/errors.ts'

export interface Words {
  /** The first and the newest lines. */
  lines: readonly string[]
  /** Some line said that the disk is full, also one that was not kept. */
  noSpace: boolean
}

const keptLines = 12
const maxLine = 2000

const noSpace = /no space left|disk quota exceeded|file too large/i

/** After one of these nothing comes but the end. Others that begin with "Error" may be about one frame. */
const fatal = new RegExp(`${noSpace.source}|error (?:writing|muxing)|conversion failed`, 'i')

/** Short reasons that may be told to everybody. */
const reasons: readonly [said: RegExp, reason: string][] = [
  [/cannot allocate memory|out of memory/i, 'it is out of memory'],
  [/cannot load|no capable devices|device creation failed|no device|driver/i, 'its device or driver cannot be used'],
  [/unknown encoder|unrecognized option|option not found|unknown option/i, 'this ffmpeg cannot do what it was asked'],
]

/** Reads `stream` to its end into the returned words; `onFatal` is called once, at the first line after which nothing good can come (`when`). */
export function listen(stream: ReadableStream<Uint8Array>, onFatal: () => void, when = fatal): { words: Words; ended: Promise<void> } {
  const lines: string[] = []
  const words = { lines, noSpace: false }
  let told = false
  const take = (line: string) => {
    if (line === '' || line.startsWith('Svt[info]')) return
    words.noSpace ||= noSpace.test(line)
    if (!told && when.test(line)) {
      told = true
      onFatal()
    }
    lines.push(line.slice(0, maxLine))
    if (lines.length > keptLines) lines.splice(1, 1)
  }
  const read = async () => {
    const decoder = new TextDecoder()
    let rest = ''
    for await (const chunk of stream) {
      const parts = (rest + decoder.decode(chunk, { stream: true })).split(/[\r\n]+/)
      // A program that writes without line ends must not fill memory.
      rest = parts.pop()!.slice(-maxLine)
      for (const part of parts) take(part)
    }
    take(rest)
  }
  return { words, ended: read() }
}

/** Why an encoder failed: `storage_failed` when the disk is full, else `encoding_failed`. `how`: "ended with exit code 1". All words are its cause. */
export function encoderFailure(encoder: string, how: string, { lines, noSpace }: Words): AppError {
  const cause = new Error(lines.join('\n') || 'ffmpeg said nothing')
  if (noSpace) return new AppError('storage_failed', { message: 'No space is left for the video file while it is written.', cause })
  const reason = reasons.find(([said]) => lines.some((line) => said.test(line)))?.[1]
  return new AppError('encoding_failed', {
    message: `The video encoder ${encoder} failed: it ${how}${reason ? `; ${reason}` : ''}.`,
    cause,
  })
}

/** The line that names the cause ("[h264_nvenc @ 0x55] Cannot load libcuda.so.1"), for the operator; later ones say what failed because of it. */
export function firstWords(failure: AppError): string | undefined {
  if (!(failure.cause instanceof Error)) return undefined
  return failure.cause.message
    .split('\n', 1)[0]
    ?.replace(/^\[[^\]]*\] */, '')
    .slice(0, 300)
}
