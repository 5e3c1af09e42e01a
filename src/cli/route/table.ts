// A routing decision for a person at a terminal: a line of sizes, a table of candidates, a line that says why.
import type { CandidateScore, Decision } from '../../router/router.ts'

const columns = ['', 'worker/rank', 'cached', 'prefill tokens', 'decode blocks', 'requests', 'cost', ''] as const

/** The chosen one is marked with an arrow; with prefill and decode apart both choices are shown, in the order that a request takes. */
export function decisionTable(decision: Decision & { model?: string }): string {
  const { promptTokens, promptBlocks, blockSize, model } = decision
  const head = `${model === undefined ? '' : `${model}: `}${promptTokens} prompt tokens, ${promptBlocks} blocks of ${blockSize}\n`
  if (decision.prefill === undefined) return `${head}${choice(decision, '')}`
  return `${head}${choice(decision.prefill, 'prefill, ')}${choice(decision, 'decode, ')}`
}

function choice({ mode, candidates, chosen, reason, promptBlocks }: Decision, role: string): string {
  const rows = candidates.map((one) => row(one, chosen, promptBlocks))
  const verdict = chosen === null ? 'goes nowhere now' : `goes to ${chosen}`
  return `\n${role}${mode}: ${verdict}${reason === '' ? '' : `: ${reason}`}\n${rows.length === 0 ? '  (no workers)\n' : align([[...columns], ...rows])}`
}

function row({ workerId, dpRank, overlap, load, cost, excluded }: CandidateScore, chosen: string | null, promptBlocks: number): string[] {
  const name = `${workerId}/${dpRank}`
  const { device, host, disk, predicted } = overlap
  const tiers = [host > 0 && `${host} host`, disk > 0 && `${disk} disk`, predicted > 0 && `${predicted} predicted`].filter(Boolean)
  return [
    name === chosen ? '→' : '',
    name,
    `${device}/${promptBlocks}${tiers.length === 0 ? '' : ` (${tiers.join(', ')})`}`,
    String(load.prefillTokens),
    String(Math.round(load.decodeBlocks * 10) / 10),
    String(load.requests),
    cost === undefined ? '' : cost.toFixed(2),
    excluded ?? '',
  ]
}

function align(rows: readonly string[][]): string {
  const widths = columns.map((_, i) => Math.max(...rows.map((cells) => cells[i]!.length)))
  const line = (cells: readonly string[]) => cells.map((cell, i) => cell.padEnd(widths[i]!)).join('  ')
  return rows.map((cells) => `${line(cells).trimEnd()}\n`).join('')
}
