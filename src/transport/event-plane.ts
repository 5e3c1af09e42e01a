// Seam: one publisher, many listeners, nobody waits: KV events, loads, bookings. ZMQ and NATS stand behind it; test/suites/event-plane.suite.ts holds them.
// Delivery is at most once and in order for one publisher; who needs every message counts them and asks again (engine/remote/).

export interface EventPublisher {
  /** What a listener needs: `zmq://host:port`, `nats://subject`. Told in the process's card. */
  readonly address: string
  /** Never blocks; messages of one turn may leave in one write. */
  publish(message: Uint8Array): void
  close(): void
}

export interface EventPlane {
  publisher(name: string): Promise<EventPublisher>
  /** `connected` is called on each (re)connect: what was published before it is not repeated. The bytes are reused: copy what is kept. */
  listen(address: string, listener: { message(bytes: Uint8Array): void; connected?(): void }): { close(): void }
  close(): Promise<void>
}
