// What the terminal shows when a command fails: one clear line with the code, what was said underneath, and no stack unless asked for.
import { AppError } from '../lib/errors.ts'

/** Writes the failure to stderr and returns the exit code: 2 for a wrong command line or setting, else 1. */
export async function report(thrown: unknown, write: (text: string) => void = (text) => process.stderr.write(text)): Promise<number> {
  if (thrown instanceof AppError) {
    write(`dynamo-sglang: ${thrown.message} [${thrown.code}]\n`)
    if (debug() && thrown.cause !== undefined) write(`${inspect(thrown.cause)}\n`)
    return thrown.code === 'invalid_setting' ? 2 : 1
  }
  if (thrown instanceof Error && thrown.name === 'UsageError') {
    write(`dynamo-sglang: ${thrown.message}\n`)
    return 2
  }
  // Anything else is a defect of ours: the stack is what a report needs.
  write(`dynamo-sglang: unexpected failure: ${inspect(thrown)}\n`)
  return 1
}

const inspect = (thrown: unknown): string => (thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown))

// Settings may be what failed, so the level cannot come from them.
const debug = (): boolean => /^(debug|trace)/.test(process.env.DYN_LOG ?? '')
