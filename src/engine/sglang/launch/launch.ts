// The bridge around SGLang's language models: a bridge process with a channel B, on which the schedulers' rows come.
import { randomBytes } from 'node:crypto'
import { bindSocket, type ZmtpSocket } from '../../../transport/zmtp/sockets.ts'
import { embeddingType, helloAckFrame, type Level, outType, type Ready } from '../frames.ts'
import { type BridgeProcess, lingerMs, type ProcessOptions, startProcess } from './process.ts'
import { rowSocket } from './socket-folder.ts'

/** `args` are SGLang's, as the user wrote them. */
export interface LaunchOptions extends ProcessOptions {
  /** Try no faster level than this. */
  level: Level | undefined
  /** Add what makes SGLang publish KV events, if the user's arguments say nothing of them. */
  kvEvents: boolean
}

export interface BridgeEvents {
  /** A message of type 100 (OUT) or 110 (EMB_OUT), from whichever socket. */
  rows(bytes: Uint8Array, channel: 'A' | 'B'): void
  /** Any other message after READY. */
  message(type: number, bytes: Uint8Array): void
  /** It served and is no more; told once, as early as it is known. */
  down(reason: string): void
}

export interface Bridge extends BridgeProcess<Ready> {
  /** Six characters, another for each start. */
  readonly epoch: string
}

/** Starts the bridge and resolves at READY. Rejects with a start-up AppError; nothing is left running then. */
export async function startBridge(options: LaunchOptions, events: BridgeEvents, signal: AbortSignal): Promise<Bridge> {
  const epoch = randomBytes(3).toString('hex')
  let tok = ''
  let pull: ZmtpSocket | undefined
  let down = false
  let giveUp: (reason: string) => void = () => {}
  const rows = (bytes: Uint8Array) => {
    try {
      events.rows(bytes, 'B')
    } catch (thrown) {
      // The rest of what was read with it is lost, so nobody can trust what follows.
      giveUp(`unreadable rows: ${thrown instanceof Error ? thrown.message : thrown}`)
    }
  }
  const process = await startProcess<Ready>(
    options,
    {
      open(sockets) {
        tok = `ipc://${rowSocket(sockets)}`
        pull = bindSocket({
          type: 'PULL',
          endpoint: tok,
          onMessage: ([bytes]) => down || rows(bytes!),
          // Rows may be lost with the connection. When a scheduler died, the bridge is about to say why: let it speak first.
          onDown: (reason, wasPeer) => {
            if (wasPeer) setTimeout(() => giveUp(`a scheduler's rows stopped: ${reason}`), lingerMs).unref()
          },
        })
        return { ...(options.level ? { DSGL_LEVEL: options.level } : {}), ...(options.kvEvents ? { DSGL_KV_EVENTS: '1' } : {}) }
      },
      close: () => pull?.close(),
      helloAck: () => helloAckFrame(options.level, tok, epoch),
      message(type, bytes) {
        if (type === outType || type === embeddingType) events.rows(bytes, 'A')
        else events.message(type, bytes)
      },
      down(reason) {
        down = true
        events.down(reason)
      },
    },
    signal,
    (give) => {
      giveUp = give
    },
  )
  return {
    ...process,
    epoch,
    stop(deadlineMs) {
      down = true
      return process.stop(deadlineMs)
    },
  }
}
