// One ffmpeg child that reads a stranger's clip: the file has no name and is all that it may open, its output is read as fast as it is wanted, and it ends with its
// reader, its time, or its request.
import { closeSync, constants, openSync, rmSync, unlinkSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { AppError } from '../../../lib/errors.ts'
import { listen } from '../../video/ffmpeg-words.ts'
import { killGroup, ours } from '../../video/process-group.ts'
import { limitMemory, watchMemory } from './memory.ts'

export interface ClipFile {
  /** Its number in this process. */
  fd: number
  demuxer: string
  close(): void
}

/** Puts the bytes where ffmpeg can seek in them; whoever opens it closes it. Rejects with `storage_failed`. */
export function openClipFile(bytes: Uint8Array, demuxer: string): ClipFile {
  const path = join(tmpdir(), `dynamo-sglang-clip-${crypto.randomUUID()}`)
  let fd: number | undefined
  try {
    fd = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o600)
    unlinkSync(path)
    for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at)
  } catch (cause) {
    if (fd !== undefined) {
      closeSync(fd)
      rmSync(path, { force: true })
    }
    throw new AppError('storage_failed', { message: 'There is no place for the clip while it is read.', cause })
  }
  const open = fd
  return { fd: open, demuxer, close: () => closeSync(open) }
}

export interface Run {
  ffmpeg: string
  file: ClipFile
  /** Before `-i`. */
  input?: readonly string[]
  /** After it. */
  output: readonly string[]
  timeoutMs: number
  /** Bytes that the child may have; what needs more is refused. */
  memory: number
  /** For messages. */
  param: string
  noun?: 'clip' | 'sound'
  signal: AbortSignal
}

/** Frames of this many bytes at the most: what a broken head can make ffmpeg ask for. */
const largestBlock = 1 << 29

/** ffmpeg said that it cannot do what it was asked; `words` are its own. */
export class ClipFailure extends Error {
  readonly words: readonly string[]
  constructor(words: readonly string[]) {
    super(words.join('\n') || 'ffmpeg said nothing')
    this.words = words
  }
}

/**
 * What the child writes, in pieces. Leaving the loop ends the child. Throws ClipFailure when it fails by itself, AppError `invalid_image` when its time is over or it
 * needs more memory than it may have, `client_closed_request` when the signal aborts, `unsupported_parameter` when there is no such program.
 */
export async function* ffmpegOutput({
  ffmpeg,
  file,
  input = [],
  output,
  timeoutMs,
  memory,
  param,
  signal,
  noun = 'clip',
}: Run): AsyncGenerator<Uint8Array> {
  if (signal.aborted) throw new AppError('client_closed_request', { param, message: 'The client went away.' })
  const safe = ['-protocol_whitelist', 'file', '-max_alloc', String(largestBlock), '-threads', '2', ...input]
  // Each thread has a stack and may hold a frame; by itself ffmpeg takes one for each core.
  const threads = ['-filter_threads', '2']
  const quiet = ['-hide_banner', '-nostdin', '-nostats', '-v', 'warning']
  const words = [...safe, '-f', file.demuxer, '-i', '/proc/self/fd/3', ...output, 'pipe:1']
  const child = spawn([ffmpeg, ...quiet, ...threads, ...words], file.fd, param, noun)
  let ending: AppError | undefined
  const end = (why?: AppError) => {
    ending ??= why
    killGroup(child)
  }
  const unwatch = limitMemory(child.pid, memory) ? () => {} : watchMemory(child.pid, memory, () => end(tooGreedy(param, noun)))
  const timer = setTimeout(() => end(late(param, timeoutMs, noun)), timeoutMs)
  const onAbort = () => end(new AppError('client_closed_request', { param, message: 'The client went away.' }))
  signal.addEventListener('abort', onAbort, { once: true })
  const said = listen(child.stderr as ReadableStream<Uint8Array>, () => end(changes(param)), changesSize)
  try {
    for await (const piece of child.stdout as unknown as AsyncIterable<Uint8Array>) yield piece
    const code = await child.exited
    await Promise.race([said.ended, Bun.sleep(1000)])
    if (ending !== undefined) throw ending
    if (said.words.lines.some((line) => noMemory.test(line))) throw tooGreedy(param, noun)
    if (code !== 0) throw new ClipFailure(said.words.lines)
  } finally {
    clearTimeout(timer)
    unwatch()
    signal.removeEventListener('abort', onAbort)
    end()
    await child.exited
  }
}

function spawn(command: string[], file: number, param: string, noun: Noun) {
  try {
    return ours(Bun.spawn(command, { stdio: ['ignore', 'pipe', 'pipe', file], detached: true }))
  } catch (cause) {
    throw noFfmpeg(param, cause, noun)
  }
}

type Noun = NonNullable<Run['noun']>

const otherWays: Readonly<Record<Noun, string>> = {
  clip: 'clips may also be sent as pictures of their frames',
  sound: 'a WAV file of 16 kHz, 16 bits and one channel needs none',
}

/** The refusal of clips and sounds on a machine that cannot decode them. */
export function noFfmpeg(param: string, cause?: unknown, noun: Noun = 'clip'): AppError {
  return new AppError('unsupported_parameter', {
    param,
    message: `This server cannot read ${noun === 'clip' ? 'clips' : 'such sounds'}: it has no ffmpeg. Install one (the package ffmpeg), or name it with --ffmpeg; ${otherWays[noun]}.`,
    cause,
  })
}

/** What ffmpeg warns of where it is told not to begin anew (`-reinit_filter 0`): it would count frames from 0 again. */
const changesSize = /changing video frame properties/i

function changes(param: string): AppError {
  return new AppError('invalid_image', { param, message: `The clip at ${param} changes the size of its frames on the way.` })
}

function late(param: string, timeoutMs: number, noun: Noun): AppError {
  return new AppError('invalid_image', {
    param,
    message: `The ${noun} at ${param} was not read within ${timeoutMs / 1000} seconds. Send a shorter or smaller one.`,
  })
}

const noMemory = /cannot allocate memory|out of memory|\bENOMEM\b/i

function tooGreedy(param: string, noun: Noun): AppError {
  return new AppError('invalid_image', {
    param,
    message: `The ${noun} at ${param} claims more than can be read: ffmpeg needs more memory for it than it may have. Send a smaller one, or a file that was written anew.`,
  })
}
