// One picture on one encoder of a pool, for as long as the encoder gets anything done.
import { AppError, toAppError } from '../../../lib/errors.ts'
import type { MediaItem } from '../../types.ts'
import { checkEmbeddings } from '../embeddings.ts'
import type { Embeddings } from '../vision.ts'
import type { Attempt, Member, Stall } from './member.ts'

/** How an attempt ended other than by rows. `final`: another encoder would do no better, or nobody waits any more. */
export interface Trouble {
  kind: Stall | 'failed' | 'unavailable' | 'final'
  error: AppError
  /** Its encoder was not known to hang. */
  news: boolean
  /** How likely it is the picture's own fault, 0 to 1. */
  blame: number
  /** Until when its encoder may have worked on it. */
  heardAt: number
}

/** Our own loop may have stood still: what an encoder said meanwhile is heard before it is given up. */
const doubtMs = 20

/** Runs `attempt`, which `member` has booked, and books its end. Never rejects. `signal`: nobody waits; its reason is not looked at. */
export async function runAttempt(member: Member, attempt: Attempt, item: MediaItem, signal: AbortSignal): Promise<Embeddings | Trouble> {
  const end = new AbortController()
  const broken = Promise.withResolvers<never>()
  let timer: ReturnType<typeof setTimeout>
  let hangs: Stall | undefined
  let doubted = false
  const look = () => {
    const now = performance.now()
    const left = member.dueAt(attempt) - now
    if (left <= 0 && doubted) return attempt.giveUp(member.isSilent(now) ? 'silent' : 'stalled')
    doubted = left <= 0
    timer = setTimeout(look, doubted ? doubtMs : left)
  }
  attempt.giveUp = (how) => {
    hangs ??= how
    broken.reject(stalled(member.id, hangs))
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
    const now = performance.now()
    const heardAt = Math.max(attempt.begunAt, Math.min(member.encoder.heardAt ?? now, now))
    const kind = signal.aborted ? 'final' : (hangs ?? kindOf(error))
    if (kind === 'final') return { kind, error, news: false, blame: 0, heardAt }
    return { kind, error, heardAt, ...member.failed(attempt, kind, now) }
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

function stalled(id: string, how: Stall): AppError {
  const what = how === 'silent' ? 'shows no sign of life' : 'did not answer in time'
  return new AppError('engine_unavailable', { message: `The vision encoder ${id} ${what}.`, retryAfterSecs: 1 })
}

function cancelled(): AppError {
  return new AppError('client_closed_request', { message: 'The request was cancelled.' })
}
