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
  /** Time in which its encoder may not have worked on it. */
  idleMs: number
}

/** Our own loop may have stood still: what an encoder said meanwhile is heard before it is given up. */
const doubtMs = 20

/** Whether an encoder that took too long hangs, or is only slower than thought, is looked at for so long; nobody waits for that. */
const lingerMs = 30_000

/**
 * Runs `attempt`, which `member` has booked, and books its end. Never rejects. `signal`: nobody waits; its reason is not looked at. `late` is called at the end of work that took
 * too long: with it the encoder shows how slow it is.
 */
export async function runAttempt(
  member: Member,
  attempt: Attempt,
  item: MediaItem,
  signal: AbortSignal,
  late: (well: boolean) => void,
): Promise<Embeddings | Trouble> {
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
  }
  const onAbort = () => broken.reject(cancelled())
  look()
  signal.addEventListener('abort', onAbort, { once: true })
  if (signal.aborted) onAbort()
  const work = encodeOn(member, item, end.signal)
  let lingers = false
  try {
    const rows = await Promise.race([work, broken.promise])
    member.done(attempt, performance.now())
    return rows
  } catch (thrown) {
    const error = toAppError(thrown)
    const now = performance.now()
    const kind = signal.aborted ? 'final' : (hangs ?? kindOf(error))
    const { ready, retries, heardAt = now } = member.encoder
    // Of one that tries by itself it is not known whether it waited or worked.
    const workedAt = retries === true && ready ? attempt.begunAt : Math.max(attempt.begunAt, Math.min(heardAt, now))
    const idleMs = now - workedAt
    if (kind === 'final') return { kind, error, news: false, blame: 0, idleMs }
    const { news, blame } = member.failed(kind, error.message, now)
    lingers = kind === 'stalled' && news
    return { kind, error, idleMs, news, blame }
  } finally {
    clearTimeout(timer!)
    signal.removeEventListener('abort', onAbort)
    if (lingers) void linger(member, attempt, work, end).then(late)
    else {
      end.abort()
      member.release(attempt)
    }
  }
}

async function encodeOn({ encoder }: Member, item: MediaItem, signal: AbortSignal): Promise<Embeddings> {
  return checkEmbeddings(await encoder.encode(item, signal), item, encoder.info)
}

/** Resolves with whether rows came after all. Until then the encoder is on trial. */
async function linger(member: Member, attempt: Attempt, work: Promise<Embeddings>, end: AbortController): Promise<boolean> {
  attempt.trial = true
  const enough = Promise.withResolvers<undefined>()
  const timer = setTimeout(() => enough.resolve(undefined), lingerMs)
  try {
    const rows = await Promise.race([work, enough.promise])
    if (rows !== undefined) member.done(attempt, performance.now())
    return rows !== undefined
  } catch {
    return false // It was stopped, or failed: the next picture is its trial.
  } finally {
    clearTimeout(timer)
    end.abort()
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
