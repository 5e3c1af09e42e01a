// How faults that a mock plays on purpose are written: one short string of words, `crash-after=200,restart=500`. Each mock brings a table of
// its own beside the words that all of them have.
import { AppError } from '../../lib/errors.ts'

/** What every mock engine can play. Its steps are tokens, or denoising steps. */
export interface CommonFailure {
  /** The engine dies once, after so many steps of all requests together: what runs fails, what it remembers is lost. */
  crashAfter: number
  /** How long a crashed engine stays down, in real milliseconds; Infinity: for ever. */
  restartMs: number
  /** After this many steps none runs any more; requests hang until they are aborted. */
  stallAfter: number
  /** Every k-th request is refused as the engine's fault; 0: none. */
  refuseEvery: number
  /** `start` takes this long, in real milliseconds. */
  slowStartMs: number
  /** `start` rejects. */
  failStart: boolean
}

export const noFailure: CommonFailure = {
  crashAfter: Number.POSITIVE_INFINITY,
  restartMs: 1000,
  stallAfter: Number.POSITIVE_INFINITY,
  refuseEvery: 0,
  slowStartMs: 0,
  failStart: false,
}

export interface FailureWord<F> {
  /** For the list of known words. */
  usage: string
  /** Undefined: the value makes no sense. */
  read(value: string | undefined): Partial<F> | undefined
}

type Read = (value: string | undefined) => number | undefined

const count: Read = (value) => (value !== undefined && /^\d+$/.test(value) ? Number(value) : undefined)
const countOrNever: Read = (value) => (value === 'never' ? Number.POSITIVE_INFINITY : count(value))

/** Every one without a value; none of them cannot be said. */
export const every: Read = (value) => (value === undefined ? 1 : count(value) === 0 ? 1 : count(value))

/** A word with a number. */
export function numbered<F>(name: keyof F, usage: string, read: Read = count): FailureWord<F> {
  return {
    usage,
    read(value) {
      const number = read(value)
      return number === undefined ? undefined : ({ [name]: number } as Partial<F>)
    },
  }
}

/** A word that stands alone. */
export function alone<F>(name: keyof F, usage: string): FailureWord<F> {
  return { usage, read: (value) => (value === undefined ? ({ [name]: true } as Partial<F>) : undefined) }
}

/** `unit`: what one step is called, in capitals. */
export function commonWords<F extends CommonFailure>(unit: string): Record<string, FailureWord<F>> {
  return {
    'crash-after': numbered('crashAfter', `crash-after=${unit}`),
    restart: numbered('restartMs', 'restart=MS or restart=never', countOrNever),
    'stall-after': numbered('stallAfter', `stall-after=${unit}`),
    refuse: numbered('refuseEvery', 'refuse or refuse=K (every K-th request)', every),
    'slow-start': numbered('slowStartMs', 'slow-start=MS'),
    'fail-start': alone('failStart', 'fail-start'),
  }
}

/** Reads a comma-separated list of faults over `none`, which the empty string is. Throws AppError `invalid_setting` with the known ones. */
export function readFailure<F extends CommonFailure>(
  spec: string,
  none: F,
  words: Readonly<Record<string, FailureWord<F>>>,
  engine: string,
): F {
  const failure = { ...none }
  for (const part of spec.split(',').map((text) => text.trim())) {
    if (part === '') continue
    const [name = '', value] = part.split('=')
    const read = Object.hasOwn(words, name) ? words[name]!.read(value) : undefined
    if (read === undefined) {
      const known = Object.values(words).map(({ usage }) => usage)
      throw new AppError('invalid_setting', {
        param: '--mock-failure',
        message: `${engine} cannot play the failure '${part}'; it knows: ${known.join(', ')}`,
      })
    }
    Object.assign(failure, read)
  }
  return failure
}
