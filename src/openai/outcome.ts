// How a request ended, for the access log and the request counters.
import type { AppError } from '../lib/errors.ts'
import type { Usage } from '../pipeline/types.ts'

export interface Outcome {
  workerId?: string
  usage?: Usage
  /** Absent: the answer was whole. */
  error?: AppError
  /** Of a whole answer whose end may still wait for its client: whether the client took it. Absent: it is out. */
  sent?: Promise<boolean>
}
