// Faults that a mock encoder plays on purpose, in the words of the other mocks: `die-after=20,restart=500`.
import { AppError } from '../../../lib/errors.ts'

export interface VisionFaults {
  /** It dies once it has encoded this many pictures: what runs fails with `engine_unavailable`. */
  dieAfter: number
  /** How long it stays dead, in milliseconds; Infinity: for ever. */
  restartMs: number
  /** After this many pictures nothing is answered any more, and the encoder still says that it is ready. */
  hangAfter: number
  /** Every k-th picture fails with `engine_failed`; 0: none. */
  errorEvery: number
  /** Every k-th picture has one row too few; 0: none. */
  shortEvery: number
  /** `start` takes this long, in milliseconds. */
  slowStartMs: number
  /** `start` rejects. */
  failStart: boolean
}

const known: Record<string, string> = {
  'die-after': 'die-after=PICTURES',
  restart: 'restart=MS or restart=never',
  'hang-after': 'hang-after=PICTURES',
  error: 'error or error=K (every K-th picture)',
  'short-row': 'short-row or short-row=K (every K-th picture)',
  'slow-start': 'slow-start=MS',
  'fail-start': 'fail-start',
}

/** Reads a comma-separated list of faults; the empty string is none. Throws AppError `invalid_setting` with the known ones. */
export function parseVisionFaults(spec: string): VisionFaults {
  const faults: VisionFaults = {
    dieAfter: Number.POSITIVE_INFINITY,
    restartMs: 1000,
    hangAfter: Number.POSITIVE_INFINITY,
    errorEvery: 0,
    shortEvery: 0,
    slowStartMs: 0,
    failStart: false,
  }
  for (const part of spec.split(',').map((text) => text.trim())) {
    if (part === '') continue
    const [name = '', value] = part.split('=')
    if (name === 'die-after') faults.dieAfter = number(part, value)
    else if (name === 'restart') faults.restartMs = value === 'never' ? Number.POSITIVE_INFINITY : number(part, value)
    else if (name === 'hang-after') faults.hangAfter = number(part, value)
    else if (name === 'error') faults.errorEvery = value === undefined ? 1 : Math.max(1, number(part, value))
    else if (name === 'short-row') faults.shortEvery = value === undefined ? 1 : Math.max(1, number(part, value))
    else if (name === 'slow-start') faults.slowStartMs = number(part, value)
    else if (name === 'fail-start' && value === undefined) faults.failStart = true
    else throw unknown(part)
  }
  return faults
}

function number(part: string, value: string | undefined): number {
  if (value !== undefined && /^\d+$/.test(value)) return Number(value)
  throw unknown(part)
}

function unknown(part: string): AppError {
  return new AppError('invalid_setting', {
    param: '--mock-failure',
    message: `the mock encoder cannot play the failure '${part}'; it knows: ${Object.values(known).join(', ')}`,
  })
}
