// Several of our own processes in one terminal: their lines marked, one signal for all, and when the first goes the others follow.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Environment } from '../deployment/environment.ts'
import { selfCommand } from '../self.ts'
import type { ExampleProcess } from './setup.ts'

/** What says where processes find each other: if the user said nothing, those of one run find only each other. */
const placed = ['DYN_DISCOVERY_BACKEND', 'DYN_FILE_KV', 'ETCD_ENDPOINTS', 'DYN_WORKER_ADDRESS', 'DYN_SETTINGS']

/** Resolves with the exit code: of the first process that ended, else of the first that ended badly. */
export async function runAll(processes: readonly ExampleProcess[], env: Environment): Promise<number> {
  const own = processes.length > 1 && !placed.some((name) => env[name]) ? mkdtempSync(join(tmpdir(), 'dynamo-sglang-example-')) : undefined
  const width = Math.max(...processes.map(({ name }) => name.length))
  const children = processes.map(({ name, args, env: more }) => {
    // Each in its own group: a terminal's Ctrl-C then reaches only us, and every process gets exactly one signal for it.
    const child = Bun.spawn([...selfCommand(), ...args], {
      stdin: 'ignore',
      stdout: 'pipe',
      stderr: 'pipe',
      detached: true,
      env: { ...(own && { DYN_FILE_KV: own }), ...env, ...more },
    })
    const mark = processes.length > 1 ? `${name.padEnd(width)} | ` : ''
    const copies = [copyLines(child.stdout, process.stdout, mark), copyLines(child.stderr, process.stderr, mark)]
    return { name, child, copies }
  })
  let told = false
  const forward = (signal: NodeJS.Signals) => {
    told = true
    for (const { child } of children) if (child.exitCode === null) child.kill(signal === 'SIGHUP' ? 'SIGTERM' : signal)
  }
  const signals: NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP']
  for (const signal of signals) process.on(signal, forward)
  try {
    const { name, code: first, signal } = await Promise.race(children.map(ended))
    // One process alone is no setup: when the first goes, the others follow. Those that were told already are draining: a second signal would cut that.
    if (!told) {
      const how = signal === null ? `exit code ${first}` : signal
      if (children.length > 1)
        process.stderr.write(`example: ${name} ended (${how}), so the example ends: the other processes are stopped\n`)
      forward('SIGTERM')
    }
    const codes = await Promise.all(children.map(({ child }) => child.exited))
    await Promise.all(children.flatMap(({ copies }) => copies))
    return first !== 0 ? first : (codes.find((code) => code !== 0) ?? 0)
  } finally {
    for (const signal of signals) process.off(signal, forward)
    if (own !== undefined) rmSync(own, { recursive: true, force: true })
  }
}

async function ended({ name, child }: { name: string; child: Bun.Subprocess }) {
  const code = await child.exited
  return { name, code, signal: child.signalCode }
}

/** Copies whole lines, each behind its mark, so that processes do not write into each other's lines. */
async function copyLines(from: ReadableStream<Uint8Array>, to: NodeJS.WritableStream, mark: string): Promise<void> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const chunk of from) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n')
    rest = lines.pop()!
    if (lines.length > 0) to.write(lines.map((line) => `${mark}${line}\n`).join(''))
  }
  if (rest !== '') to.write(`${mark}${rest}\n`)
}
