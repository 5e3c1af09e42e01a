// Real SGLang engines (CPU, float32) inside the product's own processes, and what /proc and the debug routes tell of them.
import { processIds, processStat, programOf } from '../../../src/engine/process-group.ts'
import { until } from '../run-request.ts'
import { cpuArgs, cpuEnv, sglangPython, tinyModel } from '../sglang.ts'

export const realModel = 'models/tiny-llm'
export const realPython = sglangPython()
export const blockSize = 16

/** Whether this machine can run them. */
export const canRunReal = realPython !== undefined && tinyModel() !== undefined

/** Flags of `worker` and `serve`; `more` are the caller's. A tiny model under a JSON schema would write blanks for ever. */
export function realArgs(...more: string[]): string[] {
  return ['--engine', 'sglang', ...cpuArgs(realModel), '--dtype', 'float32', '--constrained-json-disable-any-whitespace', ...more]
}

export function realEnv(more: Record<string, string> = {}): Record<string, string> {
  return { ...cpuEnv(), DYN_SGLANG_PYTHON: realPython!, ...more }
}

/** SGLang's scheduler processes under a process of ours. */
export function schedulersOf(pid: number): number[] {
  return descendants(pid).filter((one) => programOf(one).startsWith('sglang::sch'))
}

/** All processes that came from `pid`, without itself. */
export function descendants(pid: number): number[] {
  const children = new Map<number, number[]>()
  for (const one of processIds()) {
    const parent = parentOf(one)
    if (parent !== undefined) children.set(parent, [...(children.get(parent) ?? []), one])
  }
  const found: number[] = []
  const walk = (one: number) => {
    for (const child of children.get(one) ?? []) {
      found.push(child)
      walk(child)
    }
  }
  walk(pid)
  return found
}

/** It runs, and is no zombie. */
export function alive(pid: number): boolean {
  const stat = processStat(pid)
  return stat !== undefined && stat.state !== 'Z'
}

const parentOf = (pid: number): number | undefined => (alive(pid) ? processStat(pid)?.parent : undefined)

export interface SeenWorker {
  worker_id: string
  ready: boolean
  ranks: { dp_rank: number; booked: { prefillTokens: number; decodeBlocks: number; requests: number }; excluded: string | null }[]
}

export async function workersOf(url: string): Promise<SeenWorker[]> {
  return ((await (await fetch(`${url}/debug/workers`)).json()) as { workers: SeenWorker[] }).workers
}

/** Resolves when exactly these workers take traffic and the model is served. */
export async function serving(url: string, ids: readonly string[]): Promise<void> {
  await until(
    `${ids} are ready`,
    async () => {
      const ready = (await workersOf(url)).filter((one) => one.ready).map((one) => one.worker_id)
      return ready.length === ids.length && ids.every((id) => ready.includes(id))
    },
    240_000,
  )
  await until('the model is served', async () => ((await (await fetch(`${url}/v1/models`)).json()) as { data: [] }).data.length > 0)
}

/** Leading blocks of a prompt (text of a completion) that the router believes each rank to hold: `ID/RANK` → blocks. */
export async function heldBlocks(url: string, prompt: string): Promise<Record<string, number>> {
  const response = await fetch(`${url}/debug/route?prompt=${encodeURIComponent(prompt)}`)
  const { candidates } = (await response.json()) as { candidates: { workerId: string; dpRank: number; overlap: { device: number } }[] }
  return Object.fromEntries(candidates.map(({ workerId, dpRank, overlap }) => [`${workerId}/${dpRank}`, overlap.device]))
}

/** POST /engine/NAME, as an operator would. */
export async function operate(url: string, name: string, args: Record<string, unknown> = {}): Promise<Response> {
  return fetch(`${url}/engine/${name}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(args),
  })
}
