// The faults of the mock diffusion engine (../failure-words.ts); its steps are denoising steps.
import { type CommonFailure, commonWords, every, noFailure, numbered, readFailure } from '../failure-words.ts'

export interface DiffusionFailure extends CommonFailure {
  /** Every k-th request runs out of memory half-way through its steps; 0: none. */
  oomEvery: number
}

const none: DiffusionFailure = { ...noFailure, oomEvery: 0 }

const words = {
  ...commonWords<DiffusionFailure>('STEPS'),
  'oom-every': numbered<DiffusionFailure>('oomEvery', 'oom-every=K (every K-th request runs out of memory)', every),
}

/** Reads a comma-separated list of faults; the empty string is none. Throws AppError `invalid_setting` with the known ones. */
export function parseDiffusionFailure(spec: string): DiffusionFailure {
  return readFailure(spec, none, words, 'the mock diffusion engine')
}
