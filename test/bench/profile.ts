// Where a token's and a request's CPU time goes: the sources with the mock engine under Bun's CPU profiler, samples summed by the room they
// fall into; the engine's share stands apart from the front end's, writes to the socket (their system calls too) apart from both.
// ROUND_SECS a case; OUT keeps the rows as JSON. A native frame counts for the room that called it.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../helpers/processes/sglang-server.ts'
import { productCommand } from '../helpers/processes/start.ts'

const cases = [
  { row: 'paced stream, c=256', speedup: '1', flags: '--concurrency 256 --input-tokens 32 --output-tokens 256' },
  { row: 'short, c=64', speedup: '1000000', flags: '--no-stream --concurrency 64 --input-tokens 32 --output-tokens 1' },
  {
    row: 'prompt of about 4,700 tokens, 97 % shared, c=16',
    speedup: '1000000',
    flags: '--concurrency 16 --input-tokens 1700 --shared-prefix-tokens 1650 --output-tokens 16',
  },
]

/** Rooms by the path of a file; the first that fits. */
const rooms: readonly (readonly [room: string, path: RegExp])[] = [
  ['mock engine', /src\/engine\/mock\//],
  ['event stream', /src\/openai\/stream\//],
  ['HTTP and checks', /src\/(serve|openai)\/|node_modules\/(zod|hono)\//],
  ['template', /src\/template\//],
  ['tokenizer', /src\/tokenizer\//],
  ['router', /src\/router\//],
  ['pipeline', /src\/pipeline\//],
  ['metrics, log, ids', /src\/lib\/|node_modules\/(prom-client|pino|sonic-boom)\//],
]
const socket = new Set(['flush', 'write', 'end'])
/** A sample that stands for longer than this stands for a process that waited. */
const WAITED_US = 5000

interface Profile {
  nodes: { id: number; callFrame: { functionName: string; url: string }; children?: number[] }[]
  samples: number[]
  timeDeltas: number[]
}

function shares({ nodes, samples, timeDeltas }: Profile): Record<string, number> {
  const byId = new Map(nodes.map((node) => [node.id, node]))
  const parents = new Map(nodes.flatMap((node) => (node.children ?? []).map((child) => [child, node.id] as const)))
  const roomOf = (id: number): string => {
    const { functionName, url } = byId.get(id)!.callFrame
    if (url === '' && socket.has(functionName)) return 'socket'
    for (let at: number | undefined = id; at !== undefined; at = parents.get(at)) {
      const path = byId.get(at)!.callFrame.url
      const room = rooms.find(([, pattern]) => pattern.test(path))
      if (room !== undefined) return room[0]
    }
    return 'Bun itself'
  }
  const known = new Map(nodes.map((node) => [node.id, roomOf(node.id)]))
  const sums: Record<string, number> = {}
  let all = 0
  samples.forEach((id, i) => {
    const us = timeDeltas[i]!
    if (us > WAITED_US) return
    const room = known.get(id)!
    sums[room] = (sums[room] ?? 0) + us
    all += us
  })
  const sorted = Object.entries(sums).sort(([, a], [, b]) => b - a)
  return Object.fromEntries(sorted.map(([room, us]) => [room, Number(((100 * us) / all).toFixed(1))]))
}

async function profiled(speedup: string, flags: string) {
  const folder = mkdtempSync(join(tmpdir(), 'profile-'))
  const port = freePort()
  const profiler = ['--cpu-prof', '--cpu-prof-interval', '250', '--cpu-prof-dir', folder, '--cpu-prof-name', 'serve.cpuprofile']
  const serve = ['serve', '--engine', 'mock', '--model-path', 'models/tiny-llm', '--served-model-name', 'tiny', '--context-length', '40000']
  const place = ['--http-host', '127.0.0.1', '--http-port', String(port), '--speedup-ratio', speedup, '--dyn-log-level', 'warn']
  const env = { ...process.env, DYN_GRACEFUL_SHUTDOWN_GRACE_PERIOD_SECS: '0' }
  const child = Bun.spawn([process.execPath, ...profiler, 'src/main.ts', ...serve, ...place], {
    env,
    stdio: ['ignore', 'ignore', 'ignore'],
  })
  const url = `http://127.0.0.1:${port}`
  const ready = () =>
    fetch(`${url}/health`).then(
      (response) => response.ok,
      () => false,
    )
  while (!(await ready())) await Bun.sleep(50)
  const target = ['--url', url, '--model', 'tiny', '--duration-secs', process.env.ROUND_SECS ?? '8', '--ignore-eos', '--warmup', '64']
  const load = [...productCommand(), 'bench', ...target, ...flags.split(' '), '--json', '-', '--pids', `server=${child.pid}`]
  const { requests, processes } = JSON.parse(Bun.spawnSync(load, { stderr: 'ignore' }).stdout.toString())
  const server = processes.find((one: { name: string }) => one.name === 'server')
  child.kill()
  await child.exited
  const profile: Profile = JSON.parse(readFileSync(join(folder, 'serve.cpuprofile'), 'utf8'))
  rmSync(folder, { recursive: true })
  return {
    cpuUsPerToken: Number(server.usPerOutputToken.toPrecision(4)),
    cpuMsPerRequest: Number((server.usPerRequest / 1000).toPrecision(4)),
    requestsPerSec: Math.round(requests.perSec),
    failed: requests.failed,
    load: loadavg()[0],
    percent: shares(profile),
  }
}

const rows: unknown[] = []
for (const { row, speedup, flags } of cases) {
  const result = { row, ...(await profiled(speedup, flags)) }
  rows.push(result)
  console.log(JSON.stringify(result))
}
if (process.env.OUT) {
  const about = { date: new Date().toISOString(), command: 'bun run bench profile', cpus: navigator.hardwareConcurrency }
  writeFileSync(process.env.OUT, `${JSON.stringify({ ...about, rows }, null, 1)}\n`)
}
