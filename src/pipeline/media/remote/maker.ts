// A maker on another machine: the MediaMaker seam over the request plane.
import { AppError, requestCancelled, toAppError } from '../../../lib/errors.ts'
import type { OutgoingStream, PlaneClient } from '../../../transport/request-plane.ts'
import type { EncodedFile, Made, MakerInfo, MediaListener, MediaMaker, MediaRequest } from '../media.ts'
import type { MediaCard } from './card.ts'
import { decodeBody, encodeHead, type FarFile, type MakeEvent, type MakeHead, messages, operations } from './protocol.ts'

export interface RemoteMaker extends MediaMaker {
  /** As the worker told it last. */
  readonly card: MediaCard
  /** The connection stands; the worker may not be ready all the same. */
  readonly connected: boolean
  /** The worker has told more of itself. */
  update(card: MediaCard): void
  /** The worker leaves: never ready again, and the connection ends with the last of its jobs. */
  retire(): void
  /** Ends the connection; what runs over it fails with `engine_unavailable`. */
  close(): void
}

/** `ready` while the connection stands and the card says so. `client` is this maker's alone. */
export function remoteMaker(card: MediaCard, client: PlaneClient): RemoteMaker {
  return new OverPlane(card, client)
}

let jobs = 0

class OverPlane implements RemoteMaker {
  card: MediaCard
  private readonly client: PlaneClient
  private running = 0
  /** Jobs of other frontends there. */
  private others: number
  private retired = false

  constructor(card: MediaCard, client: PlaneClient) {
    this.card = card
    this.client = client
    this.others = card.pending ?? 0
  }

  get id(): string {
    return this.card.id
  }

  get info(): MakerInfo {
    return this.card.info
  }

  get ready(): boolean {
    return this.client.connected && this.card.ready && !this.retired
  }

  get connected(): boolean {
    return this.client.connected
  }

  /** Those of this process at once, those of others as soon as the worker's card tells them. */
  pending(): number {
    return this.running + this.others
  }

  update(card: MediaCard): void {
    this.card = card
    this.others = Math.max(0, (card.pending ?? 0) - this.running)
  }

  retire(): void {
    this.retired = true
    if (this.running === 0) this.client.close()
  }

  close(): void {
    this.client.close()
  }

  async make(request: MediaRequest, listener: MediaListener, signal: AbortSignal): Promise<Made> {
    if (!this.ready) throw unavailable()
    if (signal.aborted) throw requestCancelled()
    this.running++
    try {
      return await this.run(request, listener, signal)
    } finally {
      this.running--
      if (this.retired && this.running === 0) this.client.close()
    }
  }

  async control(name: string, args: Record<string, unknown>): Promise<unknown> {
    const message = await ask(this.client, encodeHead(operations.control, { name, args }))
    if (message[0] !== messages.value) throw unreadable()
    return decodeBody(message)
  }

  private run(request: MediaRequest, listener: MediaListener, signal: AbortSignal): Promise<Made> {
    const job = `${request.requestId}.${process.pid}.${++jobs}`
    const head: MakeHead = { job, request, wants: (['partial', 'output', 'frame'] as const).filter((name) => listener[name] !== undefined) }
    return new Promise((resolve, reject) => {
      let stream: OutgoingStream | undefined
      let over = false
      const settle = (end: () => void) => {
        if (over) return
        over = true
        signal.removeEventListener('abort', onAbort)
        stream?.cancel()
        end()
      }
      const failed = (thrown: unknown) => settle(() => reject(fromWorker(toAppError(thrown))))
      const onAbort = () => failed(requestCancelled())
      /** Files are pulled one after the other, so that what is told comes in order. */
      let told = Promise.resolve()
      const pulled = new Map<number, EncodedFile>()
      const file = async (far: FarFile): Promise<EncodedFile> => {
        const { blob, size, ...rest } = far
        const known = pulled.get(blob) ?? { ...rest, bytes: await this.pull(job, blob, size, signal) }
        pulled.set(blob, known)
        return known
      }
      const hear = async (event: MakeEvent) => {
        if (over) return
        const made = await this.tell(job, event, file, listener, signal, () => over)
        if (made !== undefined) settle(() => resolve(made))
      }
      signal.addEventListener('abort', onAbort, { once: true })
      stream = this.client.open(encodeHead(operations.make, head), {
        message: (bytes) => {
          if (bytes[0] !== messages.event) return failed(unreadable())
          const event = decodeBody(bytes) as MakeEvent
          told = told.then(() => hear(event)).catch(failed)
        },
        end: () => void told.then(() => failed(unreadable())),
        fail: failed,
      })
      if (over) stream.cancel()
    })
  }

  /** One event to the listener, its file pulled before; resolves with the result of the last one. */
  private async tell(
    job: string,
    event: MakeEvent,
    file: (far: FarFile) => Promise<EncodedFile>,
    listener: MediaListener,
    signal: AbortSignal,
    over: () => boolean,
  ): Promise<Made | undefined> {
    switch (event[0]) {
      case 'queued':
        listener.queued?.(event[1])
        return
      case 'started':
        listener.started?.(this.id)
        return
      case 'progress':
        listener.progress?.(event[1], event[2], event[3], event[4])
        return
      case 'partial': {
        const preview = await file(event[3])
        if (!over()) listener.partial?.(event[1], event[2], preview)
        return
      }
      case 'output': {
        const output = await file(event[2])
        if (!over()) listener.output?.(event[1], output)
        return
      }
      case 'frame': {
        const jpeg = await this.pull(job, event[2], event[3], signal)
        if (!over()) listener.frame?.(event[1], jpeg)
        return
      }
      case 'made': {
        const files: EncodedFile[] = []
        for (const far of event[2]) files.push(await file(far))
        return { ...event[1], files, workerId: this.id }
      }
    }
  }

  private async pull(job: string, blob: number, size: number, signal: AbortSignal): Promise<Uint8Array> {
    const bytes = new Uint8Array(size)
    let start = 0
    do {
      signal.throwIfAborted()
      const message = await ask(this.client, encodeHead(operations.part, { job, blob, start }))
      if (message[0] !== messages.part || start + message.length - 1 > size || (message.length === 1 && size > 0)) throw unreadable()
      bytes.set(message.subarray(1), start)
      start += message.length - 1
    } while (start < size)
    return bytes
  }
}

/** A question that one message answers. */
function ask(client: PlaneClient, head: Uint8Array): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    let given: Uint8Array | undefined
    client.open(head, {
      message: (bytes) => {
        given = bytes.slice()
      },
      end: () => (given === undefined ? reject(unreadable()) : resolve(given)),
      fail: reject,
    })
  })
}

function unavailable(): AppError {
  return new AppError('engine_unavailable', { message: 'The media worker cannot take jobs now; try again shortly.', retryAfterSecs: 2 })
}

/** It is not this process that shuts down, and what did not begin there may begin elsewhere. */
function fromWorker(error: AppError): AppError {
  if (error.code !== 'shutting_down') return error
  return new AppError('engine_unavailable', { message: 'The worker was shut down before the job was done; try again.', retryAfterSecs: 1 })
}

function unreadable(): AppError {
  return new AppError('engine_failed', { message: "The media worker's answer could not be read; does it run another version?" })
}
