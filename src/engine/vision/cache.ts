// Pictures that were encoded before: rows by picture and encoder domain, bounded in bytes, the longest unused leave first. Equal pictures that come at once cost one encode.
import { AppError, toAppError } from '../../lib/errors.ts'
import type { MediaItem } from '../types.ts'
import type { Embeddings, EncoderInfo, VisionEncoder } from './vision.ts'

export interface CacheFigures {
  /** Pictures that were here. */
  hits: number
  /** Pictures that had to be encoded. */
  misses: number
  /** Pictures that waited for an equal one's encode. */
  joined: number
  evictions: number
  entries: number
  bytes: number
  capacityBytes: number
}

interface Flight {
  readonly result: Promise<Embeddings>
  readonly ended: AbortController
  waiters: number
}

/** What an entry takes besides its rows: key, objects and their places in the map. */
const entryBytes = 512

export class EmbeddingCache {
  readonly figures: CacheFigures
  /** In order of their last use, the newest last. */
  private readonly kept = new Map<string, Embeddings>()
  private readonly flights = new Map<string, Flight>()

  /** 0 keeps nothing; equal pictures at once still cost one encode. */
  constructor(capacityBytes: number) {
    this.figures = { hits: 0, misses: 0, joined: 0, evictions: 0, entries: 0, bytes: 0, capacityBytes }
  }

  /** The picture's rows under `encoder`'s domain. Rejects as `encoder` does. Who leaves takes nobody's rows away: the encode ends with the last who waits. */
  encode(encoder: VisionEncoder, item: MediaItem, signal: AbortSignal): Promise<Embeddings> {
    if (signal.aborted) return Promise.reject(cancelled())
    const key = keyOf(item, encoder.info)
    const known = this.kept.get(key)
    if (known !== undefined) {
      this.figures.hits++
      this.kept.delete(key)
      this.kept.set(key, known)
      return Promise.resolve(known)
    }
    let flight = this.flights.get(key)
    if (flight === undefined) {
      this.figures.misses++
      flight = this.begin(key, encoder, item)
    } else this.figures.joined++
    return this.join(key, flight, signal)
  }

  clear(): void {
    this.kept.clear()
    this.figures.entries = 0
    this.figures.bytes = 0
  }

  private begin(key: string, encoder: VisionEncoder, item: MediaItem): Flight {
    const ended = new AbortController()
    const result = encoder.encode(item, ended.signal)
    const flight = { result, ended, waiters: 0 }
    this.flights.set(key, flight)
    const over = () => {
      if (this.flights.get(key) === flight) this.flights.delete(key)
    }
    result.then((rows) => {
      over()
      this.keep(key, rows)
    }, over)
    return flight
  }

  private join(key: string, flight: Flight, signal: AbortSignal): Promise<Embeddings> {
    flight.waiters++
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        reject(cancelled())
        if (--flight.waiters > 0) return
        // Who comes now must not wait for an encode that was given up.
        if (this.flights.get(key) === flight) this.flights.delete(key)
        flight.ended.abort()
      }
      signal.addEventListener('abort', onAbort, { once: true })
      const done = () => signal.removeEventListener('abort', onAbort)
      flight.result.then(
        (rows) => {
          done()
          resolve(rows)
        },
        (thrown) => {
          done()
          reject(toAppError(thrown))
        },
      )
    })
  }

  private keep(key: string, rows: Embeddings): void {
    const { figures, kept } = this
    const bytes = sizeOf(rows)
    if (bytes > figures.capacityBytes || kept.has(key)) return
    kept.set(key, owned(rows))
    figures.bytes += bytes
    for (const [oldest, gone] of kept) {
      if (figures.bytes <= figures.capacityBytes) break
      kept.delete(oldest)
      figures.bytes -= sizeOf(gone)
      figures.evictions++
    }
    figures.entries = kept.size
  }
}

/** `encoder` behind `cache`, which others may share. A picture that is there is answered while the encoder is down. */
export function cachedEncoder(encoder: VisionEncoder, cache: EmbeddingCache): VisionEncoder {
  return new Cached(encoder, cache)
}

class Cached implements VisionEncoder {
  private readonly encoder: VisionEncoder
  private readonly cache: EmbeddingCache
  private serves = false

  constructor(encoder: VisionEncoder, cache: EmbeddingCache) {
    this.encoder = encoder
    this.cache = cache
  }

  get info(): EncoderInfo {
    return this.encoder.info
  }

  get ready(): boolean {
    return this.encoder.ready
  }

  async start(): Promise<EncoderInfo> {
    const info = await this.encoder.start()
    this.serves = true
    return info
  }

  async encode(item: MediaItem, signal: AbortSignal): Promise<Embeddings> {
    if (!this.serves && !this.encoder.ready) throw new AppError('engine_unavailable', { message: 'The vision encoder is not running.' })
    return await this.cache.encode(this.encoder, item, signal)
  }

  patchesInFlight(): number {
    return this.encoder.patchesInFlight()
  }

  get heardAt(): number | undefined {
    return this.encoder.heardAt
  }

  on(listener: (state: { ready: boolean; reason: string }) => void): () => void {
    return this.encoder.on(listener)
  }

  async stop(): Promise<void> {
    this.serves = false
    await this.encoder.stop()
  }
}

/** The grid is part of the name: front ends with other limits make other rows of the same file. */
function keyOf({ hash, grid }: MediaItem, { domain }: EncoderInfo): string {
  return `${hash}\n${grid.join('×')}\n${domain}`
}

function sizeOf({ bytes }: Embeddings): number {
  return bytes.length + entryBytes
}

/** Rows that are a part of a larger buffer would keep all of it. */
function owned(rows: Embeddings): Embeddings {
  return rows.bytes.buffer.byteLength > rows.bytes.length + entryBytes ? { ...rows, bytes: rows.bytes.slice() } : rows
}

function cancelled(): AppError {
  return new AppError('client_closed_request', { message: 'The request was cancelled.' })
}
