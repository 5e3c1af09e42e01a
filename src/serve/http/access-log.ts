// One log line and one count for each request, written when its last byte is out.
import type { Logger } from '../../lib/log.ts'
import { disconnectedClients, requestsStarted, requestsTotal } from '../../lib/metrics.ts'
import type { Outcome } from '../../openai/outcome.ts'

/** One request, from its head to its end. */
export interface Entry {
  id: string
  method: string
  path: string
  /** performance.now() of the head. */
  receivedAt: number
  /** The served model, and what the client called it when that is not served. */
  model?: string
  stream?: boolean
  /** Set when the answer's head is out. */
  status?: number
}

/** A client may name any model: only served names become label values, so that families stay bounded. */
export function countStart(entry: Entry, endpoint: string, label: string): void {
  requestsStarted.inc({ model: label, endpoint, request_type: kindOf(entry) })
}

/** Call once per request. */
export function logEnd(entry: Entry, endpoint: string, label: string, outcome: Outcome, log: Logger): void {
  const { error, usage, workerId } = outcome
  const gone = error?.code === 'client_closed_request'
  if (gone) disconnectedClients.inc()
  requestsTotal.inc({
    model: label,
    endpoint,
    request_type: kindOf(entry),
    status: error === undefined ? 'success' : 'error',
    error_type: error?.code ?? '',
  })
  const line: Record<string, unknown> = {
    id: entry.id,
    method: entry.method,
    path: entry.path,
    status: entry.status ?? error?.status ?? 200,
    ms: Math.round((performance.now() - entry.receivedAt) * 100) / 100,
    ending: error === undefined ? 'done' : gone ? 'disconnect' : error.code,
  }
  if (entry.model !== undefined) line.model = entry.model
  if (entry.stream) line.stream = true
  if (workerId !== undefined) line.worker = workerId
  if (usage !== undefined) {
    line.promptTokens = usage.promptTokens
    line.completionTokens = usage.completionTokens
    line.cachedTokens = usage.cachedTokens
  }
  if (error === undefined) {
    log.info(line, 'request')
    return
  }
  line.error = error.message
  if (error.cause !== undefined) line.cause = causeText(error.cause)
  if (error.status >= 500) log.error(line, 'request')
  else log.info(line, 'request')
}

function kindOf(entry: Entry): string {
  return entry.stream ? 'stream' : 'unary'
}

function causeText(cause: unknown): string {
  return cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)
}
