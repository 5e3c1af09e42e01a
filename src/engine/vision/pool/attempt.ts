// One picture on one encoder of a pool, for as long as the encoder gets anything done.
import { AppError, toAppError } from '../../../lib/errors.ts'
import type { MediaItem } from '../../types.ts'
import { checkEmbeddings } from '../embeddings.ts'
import type { Embeddings } from '../vision.ts'
import type { Attempt, Member } from './member.ts'

/** How an attempt ended other than by rows. `final`: another encoder would do no better, or nobody waits any more. */
export interface Trouble {
  kind: 'stalled' | 'failed' | 'unavailable' | 'final'
  error: AppError
  /** Its encoder was not known to hang. */
  news: boolean
  /** How likely it is the picture's own fault, 0 to 1. */
  blame: number
}

/** Runs `attempt`, which `member` has booked, and books its end. Never rejects. `signal`: nobody waits; its reason is not looked at. */
export async function runAttempt(member: Member, attempt: Attempt, item: MediaItem, signal: AbortSignal): Promise<Embeddings | Trouble> {
  const end = new AbortController()
  const broken = Promise.withResolvers<never>()
  let timer: ReturnType<typeof setTimeout>
  let hangs = false
  const look = () => {
    const left = member.dueAt(attempt) - performance.now()
    if (left > 0) timer = setTimeout(look, left)
    else attempt.giveUp()
  }
  attempt.giveUp = () => {
    hangs = true
    broken.reject(stalled(member.id))
    end.abort()
  }
  const onAbort = () => {
    broken.reject(cancelled())
    end.abort()
  }
  look()
  signal.addEventListener('abort', onAbort, { once: true })
  if (signal.aborted) onAbort()
  try {
    const rows = await Promise.race([member.encoder.encode(item, end.signal), broken.promise])
    checkEmbeddings(rows, item, member.encoder.info)
    member.done(attempt, performance.now())
    return rows
  } catch (thrown) {
    const error = toAppError(thrown)
    const kind = signal.aborted ? 'final' : hangs ? 'stalled' : kindOf(error)
    if (kind === 'final') return { kind, error, news: false, blame: 0 }
    return { kind, error, ...member.failed(attempt, kind, performance.now()) }
  } finally {
    clearTimeout(timer!)
    signal.removeEventListener('abort', onAbort)
    member.release(attempt)
  }
}

function kindOf({ code, status }: AppError): Trouble['kind'] {
  if (code === 'engine_unavailable' || code === 'shutting_down') return 'unavailable'
  return code === 'client_closed_request' || status < 500 ? 'final' : 'failed'
}

function stalled(id: string): AppError {
  return new AppError('engine_unavailable', { message: `The vision encoder ${id} did not answer in time.`, retryAfterSecs: 1 })
}

function cancelled(): AppError {
  return new AppError('client_closed_request', { message: 'The request was cancelled.' })
}
