// The prefill side of the mock: a bootstrap server at which computed prompts wait, by room, for the decode engine that takes their KV.
import type { Socket } from 'bun'
import { AppError } from '../../../lib/errors.ts'
import { failedLine, lineOf, sentLine, wantLine } from './wire.ts'

/** What happens to a prompt that was announced; `T` is the engine's own word for it. */
export interface PrefillEvents<T> {
  /** Its KV is with the decode engine. */
  sent(prompt: T): void
  /** It will not be fetched. */
  failed(prompt: T, why: string): void
}

interface Peer {
  text: string
  room: number | undefined
}

interface Room<T> {
  prompt: T
  /** Milliseconds that the transfer takes, and prompt tokens that came from the cache; known when the prompt is computed. */
  ready: { transferMs: number; cachedTokens: number } | undefined
  peer: Socket<Peer> | undefined
  timer: ReturnType<typeof setTimeout> | undefined
}

const firstPort = 20_000
const lastPort = 32_767
/** Rooms that failed are remembered for a decode leg that asks late. */
const keptFailures = 1024

export class PrefillRooms<T> {
  private readonly events: PrefillEvents<T>
  private readonly waitLimitMs: number
  private readonly rooms = new Map<number, Room<T>>()
  /** Decode legs that came before their prompt. */
  private readonly early = new Map<number, Socket<Peer>>()
  private readonly failures = new Set<number>()
  private readonly peers = new Set<Socket<Peer>>()
  private server: Bun.TCPSocketListener<Peer> | undefined

  /** A computed prompt that nobody fetches fails after `waitLimitMs`. */
  constructor(events: PrefillEvents<T>, waitLimitMs: number) {
    this.events = events
    this.waitLimitMs = waitLimitMs
  }

  /** Listens on `host`, on a free port below 32768, another at each start; returns it. Throws AppError `port_in_use`. */
  listen(host: string): number {
    const start = Math.floor(Math.random() * (lastPort - firstPort))
    for (let i = 0; i < 200; i++) {
      const port = firstPort + ((start + i * 37) % (lastPort - firstPort))
      try {
        this.server = Bun.listen<Peer>({ hostname: host, port, data: { text: '', room: undefined }, socket: this.handlers })
        return port
      } catch (thrown) {
        if ((thrown as { code?: string }).code !== 'EADDRINUSE') throw thrown
      }
    }
    throw new AppError('port_in_use', { message: `The mock's bootstrap server found no free port on ${host}.` })
  }

  /** A prompt with this room is on its way. */
  announce(room: number, prompt: T): void {
    const peer = this.early.get(room)
    this.early.delete(room)
    this.rooms.set(room, { prompt, ready: undefined, peer, timer: undefined })
  }

  /** It is computed: from now on it can be fetched. */
  computed(room: number, transferMs: number, cachedTokens: number): void {
    const entry = this.rooms.get(room)
    if (entry === undefined) return
    entry.ready = { transferMs, cachedTokens }
    if (entry.peer !== undefined) this.transfer(room, entry)
    else entry.timer = setTimeout(() => this.fail(room, 'no decode engine asked for the KV in time'), this.waitLimitMs)
  }

  /** The prompt was aborted or has failed; its decode leg hears of it. */
  forget(room: number, why: string): void {
    const entry = this.rooms.get(room)
    if (entry === undefined) return
    this.rooms.delete(room)
    clearTimeout(entry.timer)
    if (entry.peer !== undefined) entry.peer.end(failedLine(why))
    else this.remember(room)
  }

  /** The engine died or stops: every connection closes, and that is what the decode legs hear. */
  close(): void {
    this.server?.stop(true)
    this.server = undefined
    for (const { timer } of this.rooms.values()) clearTimeout(timer)
    this.rooms.clear()
    this.early.clear()
    this.failures.clear()
    for (const peer of this.peers) peer.terminate()
    this.peers.clear()
  }

  private transfer(room: number, entry: Room<T>): void {
    const { transferMs, cachedTokens } = entry.ready!
    clearTimeout(entry.timer)
    entry.timer = setTimeout(() => {
      this.rooms.delete(room)
      entry.peer?.end(sentLine(cachedTokens))
      this.events.sent(entry.prompt)
    }, transferMs)
  }

  private fail(room: number, why: string): void {
    const entry = this.rooms.get(room)
    if (entry === undefined) return
    this.forget(room, why)
    this.events.failed(entry.prompt, why)
  }

  /** The oldest make room: nobody asks for most of them. */
  private remember(room: number): void {
    this.failures.add(room)
    if (this.failures.size > keptFailures) this.failures.delete(this.failures.values().next().value!)
  }

  private want(room: number, socket: Socket<Peer>): void {
    socket.data.room = room
    const entry = this.rooms.get(room)
    if (this.failures.delete(room)) socket.end(failedLine('the prefill leg ended'))
    else if (entry === undefined) this.early.set(room, socket)
    else {
      entry.peer = socket
      if (entry.ready !== undefined) this.transfer(room, entry)
    }
  }

  private left(socket: Socket<Peer>): void {
    this.peers.delete(socket)
    const { room } = socket.data
    if (room === undefined) return
    if (this.early.get(room) === socket) {
      this.early.delete(room)
      this.remember(room)
      return
    }
    if (this.rooms.get(room)?.peer === socket) this.fail(room, 'the decode engine is gone')
  }

  private readonly handlers: Bun.SocketHandler<Peer> = {
    open: (socket) => {
      socket.data = { text: '', room: undefined }
      this.peers.add(socket)
    },
    data: (socket, chunk) => {
      if (socket.data.room !== undefined) return
      try {
        const { line, rest } = lineOf(socket.data.text, chunk)
        socket.data.text = rest
        if (line === undefined) return
        const room = Number(line)
        if (!Number.isSafeInteger(room) || room < 1 || wantLine(room) !== `${line}\n`) throw new RangeError('no room')
        this.want(room, socket)
      } catch {
        socket.terminate() // Not one of our decode engines.
      }
    },
    close: (socket) => this.left(socket),
    error: (socket) => this.left(socket),
  }
}
