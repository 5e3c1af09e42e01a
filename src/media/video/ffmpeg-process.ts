// One ffmpeg child: frames go in over a pipe, an MP4 comes out in a file without a name, so that nothing is left however it or we end.
import { closeSync, constants, fstatSync, openSync, readSync, rmSync, unlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { AppError } from '../../lib/errors.ts'
import { encoderFailure, listen } from './ffmpeg-words.ts'
import { mp4Fault } from './mp4-whole.ts'
import { killGroup, ours } from './process-group.ts'

export interface FfmpegProcess {
  /** Resolves when the kernel has taken all bytes: what the child has not read of them lies in a socket's buffers, less than half a megabyte. */
  write(bytes: Uint8Array): Promise<void>
  /** Ends the input, waits for the child, resolves with its file. */
  finish(): Promise<Uint8Array>
  abort(): void
}

export interface FfmpegOptions {
  program: string
  /** For messages. */
  encoder: string
  /** The arguments for an output path. */
  arguments(output: string): string[]
  /** A child that takes no byte for so long, or does not end so long after the last one, hangs. */
  stallMs?: number
  /** What a child gets to end by itself after it said that it failed: ffmpeg 5.1 with SVT-AV1 never does when the disk is full. */
  graceMs?: number
}

/** The child's number of the output file. */
const outputFd = 3

/** Throws `encoding_failed` when the program cannot be run, `storage_failed` when there is no place for its output. */
export function startFfmpeg(options: FfmpegOptions): FfmpegProcess {
  const { stallMs = 300_000, graceMs = 2000 } = options
  const file = openNameless()
  let ending: AppError | undefined
  let child: ReturnType<typeof spawn>
  try {
    child = spawn([options.program, ...options.arguments(`/proc/self/fd/${outputFd}`)], file)
  } catch (cause) {
    closeSync(file)
    throw new AppError('encoding_failed', { message: 'ffmpeg could not be started.', cause })
  }
  let lastWait: ReturnType<typeof setTimeout> | undefined
  const said = listen(child.stderr as ReadableStream<Uint8Array>, () => {
    lastWait = setTimeout(() => kill(encoderFailure(options.encoder, 'did not end after it failed', said.words)), graceMs)
  })
  const ended = child.exited.then(async (code) => {
    // Its last words; what it started and left behind may hold the pipe for ever.
    await Promise.race([said.ended, new Promise((resolve) => setTimeout(resolve, graceMs).unref())])
    clearTimeout(lastWait)
    return code
  })
  const stdin = child.stdin as Bun.FileSink

  let closed = false
  const close = () => {
    if (!closed) closeSync(file)
    closed = true
  }
  const kill = (why?: AppError) => {
    ending ??= why
    killGroup(child)
  }
  /** Waits, but not for ever. */
  const inTime = async <T>(work: Promise<T>): Promise<T> => {
    const timer = setTimeout(() => {
      const cause = new Error(said.words.lines.join('\n') || 'ffmpeg said nothing')
      kill(new AppError('encoding_failed', { message: `The video encoder ${options.encoder} hangs.`, cause }))
    }, stallMs)
    try {
      return await work
    } finally {
      clearTimeout(timer)
    }
  }
  /** The cause of the end, from its exit code and last words. */
  const failure = async (code?: number): Promise<AppError> => {
    code ??= await inTime(ended)
    if (ending !== undefined) return ending
    const how = child.signalCode ? `was ended by ${child.signalCode}` : code === 0 ? 'wrote nothing' : `ended with exit code ${code}`
    return encoderFailure(options.encoder, how, said.words)
  }

  return {
    async write(bytes) {
      try {
        await inTime(Promise.resolve(stdin.write(bytes)).then(() => stdin.flush()))
      } catch {
        // The pipe is broken because the child has ended: its exit says why.
        throw await failure()
      }
    },
    async finish() {
      try {
        // A child that ended before the last byte breaks this; its exit code says it too.
        await Promise.resolve(stdin.end()).catch(() => {})
        const code = await inTime(ended)
        const size = fstatSync(file).size
        // One that could not write its last bytes may still call that a success.
        if (code !== 0 || size === 0 || said.words.noSpace) throw await failure(code)
        const bytes = readAll(file, size)
        const fault = mp4Fault(bytes)
        if (fault !== undefined) {
          const lines = [`the file of ${size} bytes is no MP4: ${fault}`, ...said.words.lines]
          throw encoderFailure(options.encoder, 'made a file that is no whole MP4', { lines, noSpace: false })
        }
        return bytes
      } finally {
        close()
      }
    },
    abort() {
      kill(new AppError('client_closed_request', { message: 'The clip was given up.' }))
      ended.then(close, close)
    },
  }
}

function spawn(command: string[], file: number) {
  return ours(Bun.spawn(command, { stdio: ['pipe', 'ignore', 'pipe', file], detached: true }))
}

/** Opens a file of ours alone (where TMPDIR says) and takes its name away at once; ffmpeg reaches it through its descriptor. */
function openNameless(): number {
  const path = join(tmpdir(), `dynamo-sglang-clip-${crypto.randomUUID()}`)
  try {
    const file = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o600)
    try {
      unlinkSync(path)
    } catch (thrown) {
      closeSync(file)
      rmSync(path, { force: true })
      throw thrown
    }
    return file
  } catch (cause) {
    throw new AppError('storage_failed', { message: 'There is no place for the video file while it is written.', cause })
  }
}

function readAll(file: number, size: number): Uint8Array {
  const bytes = new Uint8Array(size)
  for (let at = 0; at < size; ) {
    const read = readSync(file, bytes, at, size - at, at)
    if (read === 0) throw new AppError('encoding_failed', { message: 'The video file became shorter while it was read.' })
    at += read
  }
  return bytes
}
