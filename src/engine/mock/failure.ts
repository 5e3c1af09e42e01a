// Faults that a mock engine plays on purpose, written as one short string: `crash-after=200,restart=500`.
import { AppError } from '../../lib/errors.ts'

export interface Failure {
  /** The engine dies once, after it has produced this many tokens: running requests fail, the cache is lost. */
  crashAfter: number
  /** How long a crashed engine stays down, in real milliseconds; Infinity: for ever. */
  restartMs: number
  /** After this many tokens no step runs any more; requests hang until they are aborted. */
  stallAfter: number
  /** Prefill: the KV of every k-th prompt is lost on its way; 0: none. */
  transferFailEvery: number
  /** Prefill: no KV ever leaves; both legs hang until they are aborted. */
  transferStall: boolean
  /** Every k-th request is refused with status 503; 0: none. */
  refuseEvery: number
  /** `start` takes this long, in real milliseconds. */
  slowStartMs: number
  /** `start` rejects. */
  failStart: boolean
}

const known: Record<string, string> = {
  'crash-after': 'crash-after=TOKENS',
  restart: 'restart=MS or restart=never',
  'stall-after': 'stall-after=TOKENS',
  refuse: 'refuse or refuse=K (every K-th request)',
  'transfer-fail': 'transfer-fail or transfer-fail=K (every K-th prompt of a prefill engine)',
  'transfer-stall': 'transfer-stall (of a prefill engine)',
  'slow-start': 'slow-start=MS',
  'fail-start': 'fail-start',
}

/** Reads a comma-separated list of faults; the empty string is none. Throws AppError `invalid_setting` with the known ones. */
export function parseFailure(spec: string): Failure {
  const failure: Failure = {
    crashAfter: Number.POSITIVE_INFINITY,
    restartMs: 1000,
    stallAfter: Number.POSITIVE_INFINITY,
    transferFailEvery: 0,
    transferStall: false,
    refuseEvery: 0,
    slowStartMs: 0,
    failStart: false,
  }
  for (const part of spec.split(',').map((text) => text.trim())) {
    if (part === '') continue
    const [name = '', value] = part.split('=')
    if (name === 'crash-after') failure.crashAfter = number(part, value)
    else if (name === 'restart') failure.restartMs = value === 'never' ? Number.POSITIVE_INFINITY : number(part, value)
    else if (name === 'stall-after') failure.stallAfter = number(part, value)
    else if (name === 'refuse') failure.refuseEvery = value === undefined ? 1 : Math.max(1, number(part, value))
    else if (name === 'transfer-fail') failure.transferFailEvery = value === undefined ? 1 : Math.max(1, number(part, value))
    else if (name === 'transfer-stall' && value === undefined) failure.transferStall = true
    else if (name === 'slow-start') failure.slowStartMs = number(part, value)
    else if (name === 'fail-start' && value === undefined) failure.failStart = true
    else throw unknown(part)
  }
  return failure
}

function number(part: string, value: string | undefined): number {
  if (value !== undefined && /^\d+$/.test(value)) return Number(value)
  throw unknown(part)
}

function unknown(part: string): AppError {
  return new AppError('invalid_setting', {
    param: '--mock-failure',
    message: `the mock engine cannot play the failure '${part}'; it knows: ${Object.values(known).join(', ')}`,
  })
}
