// Who answers requests with pictures on the GPU: SGLang's own servers, and ours in each of its shapes. Processes are started in order, each when the one before is ready.
import { mkdtempSync } from 'node:fs'
import { join } from 'node:path'
import { newPort } from '../plan.ts'
import { msUntil, type Running, run } from '../processes.ts'

export interface Place {
  binary: string
  python: string
  /** Model folder, with vision.onnx. */
  model: string
  work: string
  /** Of every engine and SGLang encoder. */
  flags: readonly string[]
  /** Of engines that share a GPU with others. */
  halfFlags: readonly string[]
  dtype: string
  /** Whose resizing our tower follows (--vision-backend). */
  backend: string
  readySecs: number
  env: Record<string, string>
}

export interface Standing {
  url: string
  model: string
  /** Of processes that tell times of stages. */
  metrics: string[]
  readySecs: number
  stop(): Promise<void>
}

interface Part {
  name: string
  command: string[]
  env?: Record<string, string>
  ready(): Promise<boolean>
}

interface Layout {
  parts: Part[]
  url: string
  metrics: string[]
}

const at = (port: number) => `http://127.0.0.1:${port}`
const answers = (url: string, path: string) => async () => (await fetch(url + path, { signal: AbortSignal.timeout(5000) })).ok
const listen = (port: number) => ['--host', '127.0.0.1', '--port', String(port)]
const serverOf = ({ python, model }: Place, port: number) => [python, '-m', 'sglang.launch_server', '--model-path', model, ...listen(port)]

function encoderOf(place: Place): { part: Part; url: string } {
  const port = newPort()
  const command = [...serverOf(place, port), ...place.halfFlags, '--encoder-only', '--encoder-transfer-backend', 'zmq_to_scheduler']
  return { part: { name: 'encoder', command, ready: answers(at(port), '/health') }, url: at(port) }
}

function serveOf(place: Place, more: readonly string[], flags: readonly string[] = place.flags): Layout {
  const port = newPort()
  const http = ['--http-host', '127.0.0.1', '--http-port', String(port)]
  const command = [place.binary, 'serve', '--model-path', place.model, '--python', place.python, ...http, ...flags, ...more]
  return { url: at(port), metrics: [at(port)], parts: [{ name: 'serve', command, ready: answers(at(port), '/ready') }] }
}

const tower = ({ model, dtype, backend }: Place, device: string) => [
  ...['--vision-encoder', 'onnx', '--vision-tower', join(model, 'vision.onnx'), '--vision-device', device],
  ...['--vision-dtype', dtype, '--vision-backend', backend],
]

export const setups: Record<string, (place: Place) => Layout> = {
  sglang(place) {
    const port = newPort()
    const command = [...serverOf(place, port), ...place.flags]
    return { url: at(port), metrics: [], parts: [{ name: 'sglang', command, ready: answers(at(port), '/health') }] }
  },
  'sglang-epd'(place) {
    const encoder = encoderOf(place)
    const port = newPort()
    const split = ['--language-only', '--encoder-urls', encoder.url, '--encoder-transfer-backend', 'zmq_to_scheduler']
    const command = [...serverOf(place, port), ...place.halfFlags, ...split]
    return { url: at(port), metrics: [], parts: [encoder.part, { name: 'language', command, ready: answers(at(port), '/health') }] }
  },
  ours: (place) => serveOf(place, ['--enable-multimodal']),
  'ours-L2': (place) => serveOf(place, ['--enable-multimodal', '--bridge-level', 'L2']),
  'ours-sglang-encoder'(place) {
    const encoder = encoderOf(place)
    const layout = serveOf(
      place,
      ['--dedicated-mm-encoder', '--vision-encoder', 'sglang', '--vision-encoder-url', encoder.url],
      place.halfFlags,
    )
    return { ...layout, parts: [encoder.part, ...layout.parts] }
  },
  'ours-onnx-cpu': (place) => serveOf(place, ['--dedicated-mm-encoder', ...tower(place, 'cpu')]),
  'ours-onnx-webgpu': (place) => serveOf(place, ['--dedicated-mm-encoder', ...tower(place, 'webgpu')]),
  'ours-epd-cpu': (place) => apart(place, 'cpu'),
  'ours-epd-webgpu': (place) => apart(place, 'webgpu'),
}

/** Encode, prefill and decode in three workers behind a frontend. */
function apart(place: Place, device: string): Layout {
  const env = { DYN_DISCOVERY_BACKEND: 'file', DYN_FILE_KV: mkdtempSync(join(place.work, 'cards-')), SGLANG_HOST_IP: '127.0.0.1' }
  const port = newPort()
  const frontend: Part = {
    ...{ name: 'frontend', env, ready: answers(at(port), '/live') },
    command: [place.binary, 'frontend', '--http-host', '127.0.0.1', '--http-port', String(port)],
  }
  const worker = (name: string, flags: readonly string[]): Part & { system: string } => {
    const system = at(newPort())
    const command = [place.binary, 'worker', '--model-path', place.model, ...flags]
    return { name, command, env: { ...env, DYN_SYSTEM_PORT: new URL(system).port }, ready: answers(system, '/health'), system }
  }
  const transfer = ['--disaggregation-transfer-backend', 'nixl', '--disaggregation-bootstrap-port', String(newPort())]
  const engine = ['--python', place.python, ...place.halfFlags, ...transfer]
  const encode = worker('encode', ['--multimodal-encode-worker', ...tower(place, device)])
  const prefill = worker('prefill', ['--multimodal-worker', '--disaggregation-mode', 'prefill', ...engine])
  const decode = worker('decode', ['--multimodal-worker', '--disaggregation-mode', 'decode', ...engine])
  const parts = [frontend, encode, prefill, { ...decode, ready: async () => (await decode.ready()) && answers(at(port), '/ready')() }]
  // A decode worker's first token waits for the prefill worker, whose own time is what is wanted.
  return { url: at(port), metrics: [at(port), encode.system, prefill.system], parts }
}

/** Rejects with the end of the log of what did not come. */
export async function stand(name: string, place: Place): Promise<Standing> {
  const { parts, url, metrics } = setups[name]!(place)
  const began = performance.now()
  const running: Running[] = []
  const stop = async () => {
    await Promise.all(running.map((one) => one.stop()))
  }
  try {
    for (const part of parts) {
      const one = run(part.command, join(place.work, `${name}-${part.name}.log`), { ...place.env, ...part.env })
      running.push(one)
      const ms = await msUntil(() => one.exitCode() !== undefined || part.ready(), place.readySecs * 1000, 200)
      if (ms === null || one.exitCode() !== undefined)
        throw new Error(`${part.name} was not ready (${ms} ms):\n${one.printed().slice(-2500)}`)
    }
    const list = (await (await fetch(`${url}/v1/models`)).json()) as { data: { id: string }[] }
    return { url, model: list.data[0]!.id, metrics, readySecs: Math.round((performance.now() - began) / 100) / 10, stop }
  } catch (error) {
    await stop()
    throw error
  }
}
