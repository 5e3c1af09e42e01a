// Opens streams in tests and keeps what they were told.
import type { AppError } from '../../src/lib/errors.ts'
import type { OutgoingStream, PlaneClient } from '../../src/transport/request-plane.ts'
import { until } from './run-request.ts'

export class Heard {
  readonly messages: Uint8Array[] = []
  bytes = 0
  ends = 0
  error: AppError | undefined
  stream!: OutgoingStream
  private readonly over = Promise.withResolvers<this>()
  /** Resolves at `end` or `fail`. */
  readonly done = this.over.promise
  onMessage: () => void = () => {}

  message(bytes: Uint8Array): void {
    if (this.ends > 0) throw new Error('a message after the end')
    this.messages.push(bytes.slice())
    this.bytes += bytes.length
    this.onMessage()
  }
  end(): void {
    this.ends++
    this.over.resolve(this)
  }
  fail(error: AppError): void {
    this.error = error
    this.end()
  }
  /** The messages as text. */
  texts(): string[] {
    return this.messages.map((bytes) => new TextDecoder().decode(bytes))
  }
}

const encoder = new TextEncoder()

export function openStream(client: PlaneClient, head: string | Uint8Array | object): Heard {
  const heard = new Heard()
  const bytes = head instanceof Uint8Array ? head : encoder.encode(typeof head === 'string' ? head : JSON.stringify(head))
  heard.stream = client.open(bytes, heard)
  return heard
}

export const connected = (client: PlaneClient, limitMs?: number) => until('connected', () => client.connected, limitMs)
export const gone = (client: PlaneClient, limitMs?: number) => until('disconnected', () => !client.connected, limitMs)
