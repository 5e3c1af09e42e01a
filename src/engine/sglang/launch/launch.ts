// One life of the bridge: its files, sockets and process, from the start to READY, and its end. What it says later goes to the owner.
import { randomBytes } from 'node:crypto'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import type { AppError } from '../../../lib/errors.ts'
import { decode } from '../../../transport/msgpack.ts'
import { bindSocket, type ZmtpSocket } from '../../../transport/zmtp/sockets.ts'
import { type Child, type Exit, startChild } from '../../supervisor.ts'
import { embeddingType, type Fatal, type Hello, helloAckFrame, type Level, outType, type Ready, shutdownFrame, toUs } from '../frames.ts'
import { unpackBridge } from './bridge-files.ts'
import { type Link, openLink } from './link.ts'
import { makeSocketFolder, rowSocket } from './socket-folder.ts'
import { pythonNotFound, startError } from './start-error.ts'

export interface LaunchOptions {
  /** A path, or a name to find in `env.PATH`. */
  python: string
  /** SGLang's arguments, as the user wrote them. */
  args: readonly string[]
  env: Readonly<Record<string, string>>
  /** Where the bridge's files are kept between runs. */
  cacheDir: string
  /** Where sockets live while it runs; short, since a unix socket's path has at most 107 bytes. */
  tmpDir: string
  /** Try no faster level than this. */
  level: Level | undefined
  /** Add what makes SGLang publish KV events, if the user's arguments say nothing of them. */
  kvEvents: boolean
  onLine(line: string): void
}

export interface BridgeEvents {
  /** A message of type 100 (OUT) or 110 (EMB_OUT), from whichever socket. */
  rows(bytes: Uint8Array, channel: 'A' | 'B'): void
  /** Any other message after READY. */
  message(type: number, bytes: Uint8Array): void
  /** It served and is no more; told once, as early as it is known. */
  down(reason: string): void
}

export interface Bridge {
  readonly ready: Ready
  readonly hello: Hello
  /** Six characters, another for each start. */
  readonly epoch: string
  send(frame: Uint8Array): void
  /** It serves no more: tells `down` and ends all of its processes. */
  giveUp(reason: string): void
  /** Resolves with the reason when the process and all its children are gone. */
  readonly died: Promise<string>
  /** Asks it to end, kills what is left after `deadlineMs`. */
  stop(deadlineMs: number): Promise<void>
}

/** After its socket closed the process has this long before it is killed. */
const lingerMs = 2000

/** Starts the bridge and resolves at READY. Rejects with a start-up AppError; nothing is left running then. */
export async function startBridge(options: LaunchOptions, events: BridgeEvents, signal: AbortSignal): Promise<Bridge> {
  const folder = await unpackBridge(options.cacheDir)
  const program = Bun.which(options.python, { PATH: options.env.PATH ?? '' })
  if (!program) throw pythonNotFound(options.python)
  const sockets = await makeSocketFolder(options.tmpDir)
  const secret = randomBytes(24).toString('hex')
  const epoch = randomBytes(3).toString('hex')
  const tok = `ipc://${rowSocket(sockets)}`
  let hello: Hello | undefined
  let ready: Ready | undefined
  let fatal: Fatal | undefined
  let down = false
  let settle: { resolve(): void; reject(error: AppError): void }
  const started = new Promise<void>((resolve, reject) => {
    settle = { resolve, reject }
  })
  let child: Child
  let pull: ZmtpSocket | undefined

  /** Why we ended it ourselves. */
  let ourReason: string | undefined
  const giveUp = (reason: string) => {
    if (!down) ourReason = reason
    goDown(reason)
  }
  const goDown = (reason: string) => {
    if (down) return
    down = true
    if (ready) events.down(reason)
    void child.stop(lingerMs)
  }
  const link: Link = openLink(join(sockets, 'a'), secret, {
    hello(said) {
      hello = said
      link.send(helloAckFrame(options.level, tok, epoch))
    },
    message(type, bytes) {
      if (type === outType || type === embeddingType) events.rows(bytes, 'A')
      else if (type === toUs.fatal) {
        fatal = (decode(bytes) as [number, Fatal])[1]
        goDown(fatal.message)
      } else if (type === toUs.ready && !ready) {
        ready = (decode(bytes) as [number, Ready])[1]
        settle.resolve()
      } else events.message(type, bytes)
    },
    closed: (reason) => goDown(reason),
  })
  const rows = (bytes: Uint8Array) => {
    try {
      events.rows(bytes, 'B')
    } catch (thrown) {
      // The rest of what was read with it is lost, so nobody can trust what follows.
      giveUp(`unreadable rows: ${thrown instanceof Error ? thrown.message : thrown}`)
    }
  }
  const cleanUp = () => {
    link.close()
    pull?.close()
    rmSync(sockets, { recursive: true, force: true })
  }
  try {
    pull = bindSocket({
      type: 'PULL',
      endpoint: tok,
      onMessage: ([bytes]) => down || rows(bytes!),
      // Rows may be lost with the connection. When a scheduler died, the bridge is about to say why: let it speak first.
      onDown: (reason, wasPeer) => {
        if (wasPeer) setTimeout(() => giveUp(`a scheduler's rows stopped: ${reason}`), lingerMs).unref()
      },
    })
    child = startChild({
      command: [program, '-u', folder, ...options.args],
      env: {
        ...options.env,
        DSGL_SOCK: join(sockets, 'a'),
        DSGL_SECRET: secret,
        ...(options.level ? { DSGL_LEVEL: options.level } : {}),
        ...(options.kvEvents ? { DSGL_KV_EVENTS: '1' } : {}),
      },
      onLine: options.onLine,
    })
  } catch (thrown) {
    cleanUp()
    throw (thrown as { code?: string }).code === undefined ? thrown : pythonNotFound(options.python)
  }
  const died = child.exited.then((exit) => {
    goDown(ended(exit))
    cleanUp()
    settle.reject(startError(fatal, child.lastLines(), ended(exit)))
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
    epoch,
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
