// What a run over several engines is told, and how it keeps what it has measured.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { leaveAll } from './streams.ts'

export interface Plan {
  binary: string
  client: string
  /** A model folder with weights. */
  model: string
  /** Where processes keep their logs, caches and cards. */
  work: string
  /** Of every engine, after --model-path; `mock` engines take them too. */
  engineFlags: string[]
  gpus: number
  inputWords: number
  outputTokens: number
  readySecs: number
  /** Longest prompt and answer that the engines take; smaller for trials without a GPU. */
  longPrompt: number
  longAnswer: number
}

export interface Report {
  step<T>(name: string, secs: number, act: () => Promise<T>): Promise<T | undefined>
  note(name: string, value: unknown): void
}

/** Steps with a limit each, written to `file` as soon as they end: a machine that is taken away loses one step. */
export function openReport(file: string, head: Record<string, unknown>): Report {
  const began = performance.now()
  const steps: Record<string, unknown> = {}
  const write = () => writeFileSync(file, `${JSON.stringify({ ...head, steps }, null, 1)}\n`)
  const note = (name: string, value: unknown) => {
    steps[name] = value
    console.log(`${((performance.now() - began) / 1000).toFixed(1)} s  ${name}: ${JSON.stringify(value)}`.slice(0, 1500))
    write()
  }
  return {
    note,
    async step(name, secs, act) {
      const late = Promise.withResolvers<never>()
      const timer = setTimeout(() => late.reject(new Error(`not done after ${secs} s`)), secs * 1000)
      try {
        const value = await Promise.race([act(), late.promise])
        note(name, value ?? 'done')
        return value
      } catch (error) {
        note(name, { failed: error instanceof Error ? error.message : String(error) })
        return undefined
      } finally {
        clearTimeout(timer)
        leaveAll()
      }
    },
  }
}

let nextPort = 21_300

/** Ports of this run, below the kernel's own range. */
export function newPort(): number {
  nextPort += 7
  return nextPort
}

export function logOf(plan: Plan, name: string): string {
  return join(plan.work, `${name}.log`)
}

/** What the frontend says of its workers. */
export interface Told {
  worker_id: string
  ready: boolean
  role: string | null
  in_flight: number
  ranks: { booked: { requests: number } }[]
}

export async function workersOf(url: string): Promise<Told[]> {
  const response = await fetch(`${url}/debug/workers`, { signal: AbortSignal.timeout(5000) })
  return ((await response.json()) as { workers: Told[] }).workers
}

/** The name the server gives its first model; undefined while it serves none. */
export async function firstModel(url: string): Promise<string | undefined> {
  const response = await fetch(`${url}/v1/models`, { signal: AbortSignal.timeout(5000) })
  return ((await response.json()) as { data: { id: string }[] }).data[0]?.id
}
