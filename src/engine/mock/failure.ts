// The faults of the text mock (failure-words.ts); its steps are tokens.
import { alone, type CommonFailure, commonWords, every, noFailure, numbered, readFailure } from './failure-words.ts'

export interface Failure extends CommonFailure {
  /** Prefill: the KV of every k-th prompt is lost on its way; 0: none. */
  transferFailEvery: number
  /** Prefill: no KV ever leaves; both legs hang until they are aborted. */
  transferStall: boolean
}

const none: Failure = { ...noFailure, transferFailEvery: 0, transferStall: false }

const words = {
  ...commonWords<Failure>('TOKENS'),
  'transfer-fail': numbered<Failure>(
    'transferFailEvery',
    'transfer-fail or transfer-fail=K (every K-th prompt of a prefill engine)',
    every,
  ),
  'transfer-stall': alone<Failure>('transferStall', 'transfer-stall (of a prefill engine)'),
}

/** Reads a comma-separated list of faults; the empty string is none. Throws AppError `invalid_setting` with the known ones. */
export function parseFailure(spec: string): Failure {
  return readFailure(spec, none, words, 'the mock engine')
}
