// One line of `doctor`: what it found, and what to do about it.

export interface Finding {
  level: 'ok' | 'warn' | 'fail'
  what: string
  /** What to do about it; absent when all is well. */
  advice?: string
}

export const ok = (what: string): Finding => ({ level: 'ok', what })
export const warn = (what: string, advice: string): Finding => ({ level: 'warn', what, advice })
export const fail = (what: string, advice: string): Finding => ({ level: 'fail', what, advice })

/** One line a finding, the advice under it. */
export function render(findings: readonly Finding[]): string {
  return findings
    .map(({ level, what, advice }) => `${level.padEnd(5)}${what}\n${advice === undefined ? '' : `     → ${advice}\n`}`)
    .join('')
}
