// Frontends, language workers and encode workers of models/tiny-vl as processes of their own, with mocks of both, and pictures and clips to send them.
import { afterEach } from 'bun:test'
import { dataUrl } from '../clips.ts'
import { type Fleet, type FleetWorker, startFleet } from './fleet.ts'
import { freePort } from './sglang-server.ts'
import { eventually } from './start.ts'

export const model = 'models/tiny-vl'

export interface WatchedWorker extends FleetWorker {
  /** Of its system port. */
  readonly system: string
  /** Sum of a family's samples there. */
  metric(name: string): Promise<number>
}

export interface VisionFleet extends Fleet {
  /** Its pictures are encoded elsewhere. */
  language(args?: string[]): Promise<WatchedWorker>
  encoder(args?: string[]): Promise<WatchedWorker>
}

/** As startFleet; a real engine needs more than a minute to be ready. */
export function startVisionFleet(env?: Record<string, string>, readyMs = 60_000): VisionFleet {
  const fleet = startFleet(env, readyMs)
  const watched = async (args: string[]): Promise<WatchedWorker> => {
    const port = freePort()
    const worker = await fleet.worker(['--model-path', model, ...args], { DYN_SYSTEM_PORT: String(port) })
    const system = `http://127.0.0.1:${port}`
    return { ...worker, system, metric: (name) => metricOf(system, name) }
  }
  return {
    ...fleet,
    language: (args = []) => watched(['--multimodal-worker', ...args]),
    encoder: (args = []) => watched(['--multimodal-encode-worker', ...args]),
  }
}

/** A fleet for the running test; all are stopped when it ends, and what `ending` holds is called. */
export function visionFleets(): { fleetOf(env?: Record<string, string>): VisionFleet; ending: (() => Promise<void>)[] } {
  const ending: (() => Promise<void>)[] = []
  afterEach(async () => {
    for (const end of ending.splice(0).reverse()) await end()
  }, 60_000)
  return {
    ending,
    fleetOf(env) {
      const fleet = startVisionFleet(env)
      ending.push(fleet.stop)
      return fleet
    },
  }
}

/** Of a language worker: the encoders that serve it, and patches in work. The second is told by an encode worker too. */
export const readyEncoders = 'dynamo_component_vision_encoder_ready'
export const patchesInWork = 'dynamo_component_vision_encoder_patches'

/** Resolves when the frontend knows a worker, and the worker this many encoders. */
export async function found(url: string, language: WatchedWorker, encoders: number): Promise<void> {
  await eventually('the model is served', async () => (await fetch(`${url}/ready`)).ok)
  await eventually('the encoders were found', async () => (await language.metric(readyEncoders)) === encoders)
}

export async function metricOf(url: string, name: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text()
  const samples = text.split('\n').filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
  return samples.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0)
}

/** A short greedy answer about these pictures, and clips of another `model`, or the error in its place. */
export async function look(
  url: string,
  files: readonly Uint8Array[],
  text = 'What is this?',
  headers: Record<string, string> = {},
  { model: asked = model, clips = [] }: { model?: string; clips?: readonly Uint8Array[] } = {},
): Promise<string> {
  const pictures = [
    ...files.map((file) => ({ type: 'image_url', image_url: { url: dataUrl(file, 'image/png') } })),
    ...clips.map((clip) => ({ type: 'video_url', video_url: { url: dataUrl(clip) } })),
  ]
  const response = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({
      model: asked,
      messages: [{ role: 'user', content: [{ type: 'text', text }, ...pictures] }],
      ...{ max_tokens: 12, temperature: 0, ignore_eos: true },
    }),
  })
  const body = (await response.json()) as { choices: { message: { content: string } }[]; error: { code: string; message: string } }
  return response.ok ? body.choices[0]!.message.content : `${response.status} ${body.error.code}: ${body.error.message}`
}
