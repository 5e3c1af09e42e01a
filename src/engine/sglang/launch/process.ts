// One life of a bridge process, whatever it runs: its files, the socket folder, channel A, READY or why not, and its end.
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import type { AppError } from '../../../lib/errors.ts'
import { decode } from '../../../transport/msgpack.ts'
import { type Child, type Exit, startChild } from '../../supervisor.ts'
import { type Fatal, type Hello, shutdownFrame, toUs } from '../frames.ts'
import { unpackBridge } from './bridge-files.ts'
import { type Link, openLink } from './link.ts'
import { makeSocketFolder, removeSocketFolder } from './socket-folder.ts'
import { pythonNotFound, startError } from './start-error.ts'

export interface ProcessOptions {
  /** A path, or a name to find in `env.PATH`. */
  python: string
  /** The bridge's arguments. */
  args: readonly string[]
  env: Readonly<Record<string, string>>
  /** Where the bridge's files are kept between runs. */
  cacheDir: string
  /** Where sockets live while it runs; short, since a unix socket's path has at most 107 bytes. */
  tmpDir: string
  /** It is to make images or videos: what is advised when it does not start is other. */
  diffusion?: boolean
  onLine(line: string): void
}

/** What the caller adds to a bridge process. All but `message` and `down` may throw: the start then fails. */
export interface ProcessParts {
  /** Before the process starts, in its socket folder: opens what this kind of bridge needs besides channel A; the result is more environment. */
  open(sockets: string): Record<string, string>
  /** Undoes `open`. */
  close(): void
  /** The answer to HELLO. */
  helloAck(hello: Hello): Uint8Array
  /** Any message but HELLO, READY and FATAL. A throw ends the process. */
  message(type: number, bytes: Uint8Array): void
  /** It served and is no more; told once, as early as it is known. */
  down(reason: string): void
}

export interface BridgeProcess<Ready> {
  readonly ready: Ready
  readonly hello: Hello
  send(frame: Uint8Array): void
  /** It serves no more: tells `down` and ends all of its processes. */
  giveUp(reason: string): void
  /** Resolves with the reason when the process and all its children are gone. */
  readonly died: Promise<string>
  /** Asks it to end, kills what is left after `deadlineMs`. */
  stop(deadlineMs: number): Promise<void>
}

/** After its socket closed the process has this long before it is killed. */
export const lingerMs = 2000

/** Starts the process and resolves at READY. Rejects with a start-up AppError; nothing is left running then. `held` is told at once how to give up. */
export async function startProcess<Ready>(
  options: ProcessOptions,
  parts: ProcessParts,
  signal: AbortSignal,
  held: (giveUp: (reason: string) => void) => void = () => {},
): Promise<BridgeProcess<Ready>> {
  const folder = await unpackBridge(options.cacheDir)
  const program = Bun.which(options.python, { PATH: options.env.PATH ?? '' })
  if (!program) throw pythonNotFound(options.python)
  const sockets = await makeSocketFolder(options.tmpDir)
  const secret = randomBytes(24).toString('hex')
  let hello: Hello | undefined
  let ready: Ready | undefined
  let fatal: Fatal | undefined
  let down = false
  let settle: { resolve(): void; reject(error: AppError): void }
  const started = new Promise<void>((resolve, reject) => {
    settle = { resolve, reject }
  })
  let child: Child
  /** Why we ended it ourselves. */
  let ourReason: string | undefined
  const giveUp = (reason: string) => {
    if (!down) ourReason = reason
    goDown(reason)
  }
  held(giveUp)
  const goDown = (reason: string) => {
    if (down) return
    down = true
    if (ready) parts.down(reason)
    void child.stop(lingerMs)
  }
  const link: Link = openLink(join(sockets, 'a'), secret, {
    hello(said) {
      hello = said
      link.send(parts.helloAck(said))
    },
    message(type, bytes) {
      if (type === toUs.fatal) {
        fatal = (decode(bytes) as [number, Fatal])[1]
        goDown(fatal.message)
      } else if (type === toUs.ready && !ready) {
        ready = (decode(bytes) as [number, Ready])[1]
        settle.resolve()
      } else parts.message(type, bytes)
    },
    closed: (reason) => goDown(reason),
  })
  const cleanUp = () => {
    link.close()
    parts.close()
    removeSocketFolder(sockets)
  }
  try {
    child = startChild({
      command: [program, '-u', folder, ...options.args],
      env: { ...options.env, ...parts.open(sockets), DSGL_SOCK: join(sockets, 'a'), DSGL_SECRET: secret },
      onLine: options.onLine,
    })
  } catch (thrown) {
    cleanUp()
    throw (thrown as { code?: string }).code === undefined ? thrown : pythonNotFound(options.python)
  }
  const died = child.exited.then((exit) => {
    goDown(ended(exit))
    cleanUp()
    settle.reject(startError(fatal, child.lastLines(), ended(exit), options.diffusion))
    return fatal?.message || ourReason || ended(exit)
  })
  const cancel = () => void child.stop(0)
  signal.addEventListener('abort', cancel, { once: true })
  if (signal.aborted) cancel()
  try {
    await started
  } finally {
    signal.removeEventListener('abort', cancel)
  }
  return {
    ready: ready!,
    hello: hello!,
    send: (frame) => link.send(frame),
    giveUp,
    died,
    async stop(deadlineMs) {
      down = true // What follows is wanted.
      link.send(shutdownFrame(deadlineMs))
      const timer = setTimeout(() => void child.stop(1000), deadlineMs)
      await died
      clearTimeout(timer)
    },
  }
}

function ended(exit: Exit): string {
  return exit.signal ? `the bridge was ended by ${exit.signal}` : `the bridge exited with status ${exit.code}`
}
