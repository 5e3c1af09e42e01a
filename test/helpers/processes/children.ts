// The processes that a process has started, as Linux tells them.
import { readdirSync, readFileSync } from 'node:fs'

/** Their pids. Which of its threads started them does not matter. */
export function childrenOf(pid: number): number[] {
  const threads = readdirSync(`/proc/${pid}/task`)
  const lists = threads.map((thread) => readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8'))
  return lists.join(' ').split(' ').filter(Boolean).map(Number)
}
