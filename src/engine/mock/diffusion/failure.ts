// Faults that a mock diffusion engine plays on purpose, in the words of the text mock (../failure.ts): `crash-after=20,restart=500`.
import { AppError } from '../../../lib/errors.ts'

export interface DiffusionFailure {
  /** The engine dies once, after so many denoising steps of all requests together: what runs fails. */
  crashAfter: number
  /** How long a crashed engine stays down, in real milliseconds; Infinity: for ever. */
  restartMs: number
  /** After this many denoising steps none runs any more; requests hang until they are aborted. */
  stallAfter: number
  /** Every k-th request runs out of memory half-way through its steps; 0: none. */
  oomEvery: number
  /** Every k-th request is refused as the engine's fault; 0: none. */
  refuseEvery: number
  /** `start` takes this long, in real milliseconds. */
  slowStartMs: number
  /** `start` rejects. */
  failStart: boolean
}

interface Word {
  usage: string
  /** Undefined: the value makes no sense. */
  read(value: string | undefined): Partial<DiffusionFailure> | undefined
}

const count = (value: string | undefined) => (value !== undefined && /^\d+$/.test(value) ? Number(value) : undefined)
const every = (value: string | undefined) => (value === undefined ? 1 : count(value) === 0 ? 1 : count(value))

/** A word that needs a number. */
const numbered = (name: keyof DiffusionFailure, usage: string, read = count): Word => ({
  usage,
  read(value) {
    const number = read(value)
    return number === undefined ? undefined : { [name]: number }
  },
})

const words: Record<string, Word> = {
  'crash-after': numbered('crashAfter', 'crash-after=STEPS'),
  restart: numbered('restartMs', 'restart=MS or restart=never', (value) => (value === 'never' ? Number.POSITIVE_INFINITY : count(value))),
  'stall-after': numbered('stallAfter', 'stall-after=STEPS'),
  'oom-every': numbered('oomEvery', 'oom-every=K (every K-th request runs out of memory)', every),
  refuse: numbered('refuseEvery', 'refuse or refuse=K (every K-th request)', every),
  'slow-start': numbered('slowStartMs', 'slow-start=MS'),
  'fail-start': { usage: 'fail-start', read: (value) => (value === undefined ? { failStart: true } : undefined) },
}

/** Reads a comma-separated list of faults; the empty string is none. Throws AppError `invalid_setting` with the known ones. */
export function parseDiffusionFailure(spec: string): DiffusionFailure {
  const failure: DiffusionFailure = {
    crashAfter: Number.POSITIVE_INFINITY,
    restartMs: 1000,
    stallAfter: Number.POSITIVE_INFINITY,
    oomEvery: 0,
    refuseEvery: 0,
    slowStartMs: 0,
    failStart: false,
  }
  for (const part of spec.split(',').map((text) => text.trim())) {
    if (part === '') continue
    const [name = '', value] = part.split('=')
    const read = Object.hasOwn(words, name) ? words[name]!.read(value) : undefined
    if (read === undefined) {
      const known = Object.values(words).map(({ usage }) => usage)
      throw new AppError('invalid_setting', {
        param: '--mock-failure',
        message: `the mock diffusion engine cannot play the failure '${part}'; it knows: ${known.join(', ')}`,
      })
    }
    Object.assign(failure, read)
  }
  return failure
}
