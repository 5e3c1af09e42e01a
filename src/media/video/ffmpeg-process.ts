// One ffmpeg child: frames go in over a pipe, an MP4 comes out in a file without a name, so that nothing is left however it or we end.
import { closeSync, constants, fstatSync, openSync, readSync, rmSync, unlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { AppError } from '../../lib/errors.ts'

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
  tempFolder?: string | undefined
  /** A child that takes no byte for so long, or does not end so long after the last one, hangs. */
  stallMs?: number
}

const keptLines = 12
/** The child's number of the output file. */
const outputFd = 3

/** Throws `encoding_failed` when the program cannot be run, `storage_failed` when there is no place for its output. */
export function startFfmpeg(options: FfmpegOptions): FfmpegProcess {
  const { stallMs = 300_000 } = options
  const file = openNameless(options.tempFolder ?? tmpdir())
  const lines: string[] = []
  let ending: AppError | undefined
  let child: ReturnType<typeof spawn>
  try {
    child = spawn([options.program, ...options.arguments(`/proc/self/fd/${outputFd}`)], file)
  } catch (cause) {
    closeSync(file)
    throw new AppError('encoding_failed', { message: `ffmpeg could not be started (${options.program}).`, cause })
  }
  live.add(child)
  const output = collectLines(child.stderr as ReadableStream<Uint8Array>, lines)
  const ended = Promise.all([child.exited, output]).then(([code]) => {
    live.delete(child)
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
    const timer = setTimeout(
      () => kill(new AppError('encoding_failed', { message: `The video encoder ${options.encoder} hangs.` })),
      stallMs,
    )
    try {
      return await work
    } finally {
      clearTimeout(timer)
    }
  }
  /** The cause of the end, from its exit code and last words. */
  const failure = async (code?: number): Promise<AppError> => {
    code ??= await inTime(ended)
    return ending ?? exitFailure(options.encoder, code, child.signalCode, lines)
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
        if (code !== 0 || size === 0) throw await failure(code)
        return readAll(file, size)
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

const live = new Set<Bun.Subprocess>()
let hooked = false

/** In its own process group: a Ctrl-C in our terminal must not end encoders of requests that are allowed to finish. */
function spawn(command: string[], file: number) {
  if (!hooked) {
    hooked = true
    // Killed, we take our end of the pipe with us and ffmpeg ends; one that hangs needs more, as long as we can.
    process.on('exit', () => {
      for (const child of live) killGroup(child)
    })
  }
  return Bun.spawn(command, { stdio: ['pipe', 'ignore', 'pipe', file], detached: true })
}

/** With what it started: the program may be a script around ffmpeg. */
function killGroup(child: Bun.Subprocess): void {
  // Once it has been waited for, its number may be another's.
  if (child.exitCode !== null || child.signalCode !== null) return
  try {
    process.kill(-child.pid, 'SIGKILL')
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== 'ESRCH') throw thrown
  }
}

/** Opens a file of ours alone and takes its name away at once; ffmpeg reaches it through its descriptor. */
function openNameless(folder: string): number {
  const path = join(folder, `dynamo-sglang-clip-${crypto.randomUUID()}`)
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

async function collectLines(stream: ReadableStream<Uint8Array>, lines: string[]): Promise<void> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const chunk of stream) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split(/[\r\n]+/)
    // A program that writes without line ends must not fill memory.
    rest = parts.pop()!.slice(-2000)
    lines.push(...parts.filter((line) => line !== '' && !line.startsWith('Svt[info]')))
    // The first and the newest.
    if (lines.length > keptLines) lines.splice(1, lines.length - keptLines)
  }
  if (rest !== '') lines.push(rest)
}

function exitFailure(encoder: string, code: number, signal: string | number | null, lines: readonly string[]): AppError {
  const said = lines.join('\n')
  if (/no space left|disk quota exceeded|file too large/i.test(said)) {
    return new AppError('storage_failed', { message: 'No space is left for the video file while it is written.', cause: new Error(said) })
  }
  const how = signal ? `was ended by ${signal}` : code === 0 ? 'wrote nothing' : `ended with exit code ${code}`
  // The first line names the cause ("[h264_nvenc @ 0x55] Cannot load libcuda.so.1"), the later ones what failed because of it.
  const first = lines[0]?.replace(/^\[[^\]]*\] */, '').slice(0, 300)
  return new AppError('encoding_failed', {
    message: `The video encoder ${encoder} ${how}${first ? `: ${first}` : ''}`,
    cause: new Error(said || 'ffmpeg said nothing'),
  })
}
