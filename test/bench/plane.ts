// CPU of a streamed token on its way through the request plane, worker and frontend each in a process of its own, beside the same rows handed over in-process.
// SECS seconds a row (3), ROUNDS repeats (1), PLANES (in-process,tcp and nats when there is a server), OUT keeps the rows as JSON.
import { writeFileSync } from 'node:fs'
import { loadavg } from 'node:os'
import type { Engine } from '../../src/engine/engine.ts'
import { remoteEngine } from '../../src/engine/remote/engine.ts'
import { hostEngine } from '../../src/engine/remote/host.ts'
import type { Sink } from '../../src/engine/types.ts'
import { natsClient } from '../../src/transport/nats/client.ts'
import { connectNats } from '../../src/transport/nats/connection.ts'
import { natsServer } from '../../src/transport/nats/server.ts'
import { tcpClient } from '../../src/transport/tcp/client.ts'
import { tcpServer } from '../../src/transport/tcp/server.ts'
import { started } from '../engine/mock/world.ts'
import { cardOf } from '../engine/remote/worlds.ts'
import { programPath, startNats } from '../helpers/processes/broker.ts'

const answerTokens = 256
/** A step of an 8B model on an H200, in milliseconds; 0: as fast as the loop turns. */
const paces = { paced: 7, burst: 0 }

/** An engine that costs nothing: each step hands one id to every stream. */
async function rowSource(stepMs: number): Promise<Engine> {
  const ids = Int32Array.of(12_345)
  const running = new Map<Sink, { left: number; done: () => void }>()
  const step = () => {
    for (const [sink, state] of running) {
      sink.push(ids, 0, 1, undefined)
      if (--state.left > 0) continue
      running.delete(sink)
      sink.end({ kind: 'length' }, { promptTokens: 8, completionTokens: answerTokens, cachedTokens: 0, reasoningTokens: 0 })
      state.done()
    }
    if (stepMs === 0 && !stopped) setImmediate(step)
  }
  let stopped = false
  const timer = setInterval(() => stepMs > 0 && step(), stepMs || 1000)
  if (stepMs === 0) setImmediate(step)
  const mock = await started()
  return {
    ...mock,
    info: mock.info,
    ready: true,
    start: async () => mock.info,
    generate: (_, sink) => new Promise((done) => running.set(sink, { left: answerTokens, done })),
    async stop() {
      stopped = true
      clearInterval(timer)
    },
    on: () => () => {},
    inFlight: () => running.size,
  } as Engine
}

const cpuUs = () => {
  const { user, system } = process.cpuUsage()
  return user + system
}

/** The worker's process: prints its address, answers `cpu`. */
async function worker(broker: string, stepMs: number): Promise<void> {
  const service = hostEngine(await rowSource(stepMs), { calls: { cpu: async () => cpuUs() } })
  const server = broker === 'tcp' ? tcpServer(service) : await natsServer(await connectNats({ servers: [broker] }, 'worker'), service)
  console.log(server.address)
}

interface Side {
  engine: Engine
  workerCpuUs(): Promise<number>
  close(): Promise<void>
}

async function connect(plane: string, stepMs: number): Promise<Side> {
  if (plane === 'in-process') {
    const engine = await rowSource(stepMs)
    return { engine, workerCpuUs: async () => 0, close: () => engine.stop(0) }
  }
  const broker = plane === 'nats' ? await startNats() : undefined
  const url = broker === undefined ? 'tcp' : `nats://127.0.0.1:${broker.port}`
  const child = Bun.spawn([process.execPath, import.meta.path, 'worker', url, String(stepMs)], { stdout: 'pipe', stderr: 'inherit' })
  const { value } = await child.stdout.getReader().read()
  const address = new TextDecoder().decode(value).trim()
  const nats = broker === undefined ? undefined : await connectNats({ servers: [url] }, 'frontend')
  const mock = await started()
  const client = nats === undefined ? tcpClient(address) : natsClient(nats, address)
  const engine = remoteEngine({ card: cardOf(address, mock.info), client })
  await engine.start()
  return {
    engine,
    workerCpuUs: async () => Number(await engine.call('cpu', {})),
    async close() {
      await engine.stop(0)
      await nats?.close()
      child.kill()
      await broker?.stop()
    },
  }
}

async function measure(plane: string, pace: keyof typeof paces, streams: number) {
  const side = await connect(plane, paces[pace])
  let tokens = 0
  let open = true
  const sink: Sink = {
    push(_, start, end) {
      tokens += end - start
    },
    end() {},
    fail(error) {
      throw error
    },
  }
  const never = new AbortController().signal
  const lane = async () => {
    while (open)
      await side.engine.generate(
        { requestId: 'bench', promptIds: new Uint32Array(8), sampling: { max_new_tokens: answerTokens }, stream: true },
        { ...sink },
        never,
      )
  }
  const lanes = Array.from({ length: streams }, lane)
  await Bun.sleep(1000)
  const before = { tokens, own: cpuUs(), worker: await side.workerCpuUs(), at: performance.now() }
  await Bun.sleep(1000 * Number(process.env.SECS ?? 3))
  const after = { tokens, own: cpuUs(), worker: await side.workerCpuUs(), at: performance.now() }
  open = false
  await Promise.all(lanes)
  await side.close()
  const got = after.tokens - before.tokens
  const per = (us: number) => Number((us / got).toPrecision(3))
  return {
    plane,
    load: pace,
    streams,
    tokensPerSec: Math.round((got / (after.at - before.at)) * 1000),
    frontendUsPerToken: per(after.own - before.own),
    workerUsPerToken: per(after.worker - before.worker),
    loadAverage: loadavg()[0],
  }
}

if (process.argv[2] === 'worker') await worker(process.argv[3]!, Number(process.argv[4]))
else {
  const planes = (process.env.PLANES ?? `in-process,tcp${programPath('nats-server') === null ? '' : ',nats'}`).split(',')
  const rows = []
  for (let round = 1; round <= Number(process.env.ROUNDS ?? 1); round++)
    for (const pace of ['burst', 'paced'] as const)
      for (const streams of [64, 256])
        for (const plane of planes) {
          const row = { round, ...(await measure(plane, pace, streams)) }
          rows.push(row)
          console.log(JSON.stringify(row))
        }
  if (process.env.OUT) {
    const about = {
      date: new Date().toISOString(),
      command: 'bun run bench plane',
      cpus: navigator.hardwareConcurrency,
      answerTokens,
      stepMs: paces,
    }
    writeFileSync(process.env.OUT, `${JSON.stringify({ ...about, rows }, null, 1)}\n`)
  }
  process.exit(0)
}
