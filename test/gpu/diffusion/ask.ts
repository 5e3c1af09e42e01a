// One request and its life: sent, answered, and in between what the worker noted.
import type { Contender } from './contenders.ts'
import { type Pass, passesOf } from './marks.ts'

export interface Shape {
  kind: 'image' | 'video'
  width: number
  height: number
  steps: number
  guidance: number
  frames?: number
  fps?: number
  /** Where SGLang draws its noise, when not on the GPU. */
  noise?: string
}

export interface Asked {
  /** From before the request is sent to the last byte of the file. */
  ms: number
  parts: Parts
  bytes: number
  file: Uint8Array
  sha256?: string
}

/** Milliseconds; together they are `ms`. `decode` holds what the GPU still had to do when the last step had been given to it. */
export interface Parts {
  queue: number
  text: number
  denoise: number
  decode: number
  copy: number
  /** From frames in the host's memory to the first byte of the answer. */
  encode: number
  transfer: number
}

const prompt = 'a cat on a roof under a red moon'
const negative = 'blurry'

/** Milliseconds of the wall clock. */
export const now = (): number => performance.timeOrigin + performance.now()

export async function ask(who: Contender, shape: Shape, seed: number, extra: Record<string, unknown> = {}): Promise<Asked> {
  const before = passesOf(who.marks).length
  const begun = now()
  const { file, first, last } =
    shape.kind === 'image'
      ? await image(who, shape, seed, extra)
      : who.name === 'ours'
        ? await clip(who, shape, seed)
        : await job(who, shape, seed)
  const pass = passesOf(who.marks)[before]
  return { ms: last - begun, parts: partsOf(pass, begun, first, last), bytes: file.length, file }
}

export function partsOf(pass: Pass | undefined, begun: number, first: number, last: number): Parts {
  const { began = begun, steps = [], stepped = 0, decoded = 0, ended = 0 } = pass ?? {}
  const begunSteps = steps[0] ?? began
  return {
    queue: round(began - begun),
    text: round(begunSteps - began),
    denoise: round(stepped - begunSteps),
    decode: round(decoded - stepped),
    copy: round(ended - decoded),
    encode: round(first - ended),
    transfer: round(last - first),
  }
}

/** The engine alone: its own clock around generate(). */
export async function askEngine(
  who: Contender,
  shape: Shape,
  seed: number,
): Promise<{ ms: number; sha256: string; std: number; parts: Parts }> {
  const before = passesOf(who.marks).length
  const answer = (await (
    await fetch(`${who.url}/generate`, { method: 'POST', body: JSON.stringify(sampling(shape, seed)), ...patient })
  ).json()) as {
    ms: number
    begun: number
    sha256: string
    std: number
    error?: string
  }
  if (answer.error !== undefined) throw new Error(answer.error)
  const ended = answer.begun + answer.ms
  return { ...answer, parts: partsOf(passesOf(who.marks)[before], answer.begun, ended, ended) }
}

/** SGLang's names for what is asked of everybody. */
function sampling(shape: Shape, seed: number) {
  const clip = shape.frames === undefined ? {} : { num_frames: shape.frames, fps: shape.fps, negative_prompt: negative }
  const { width, height, steps, guidance, noise } = shape
  const more = noise === undefined ? {} : { generator_device: noise }
  return { prompt, width, height, num_inference_steps: steps, guidance_scale: guidance, seed, ...clip, ...more }
}

/** What our own routes take. */
export function ourBody(shape: Shape, seed: number): Record<string, unknown> {
  const {
    width,
    height,
    generator_device: _,
    ...rest
  } = sampling(shape, seed) as ReturnType<typeof sampling> & { generator_device?: string }
  return { ...rest, size: `${width}x${height}` }
}

const patient = { timeout: false } as unknown as RequestInit

export function post(url: string, body: unknown, signal?: AbortSignal): Promise<Response> {
  const headers = { 'content-type': 'application/json' }
  return fetch(url, { method: 'POST', headers, body: JSON.stringify(body), ...(signal === undefined ? {} : { signal }), ...patient })
}

async function image(who: Contender, shape: Shape, seed: number, extra: Record<string, unknown>) {
  const body = who.name === 'ours' ? ourBody(shape, seed) : sampling(shape, seed)
  const got = await whole(
    await post(`${who.url}/v1/images/generations`, { ...body, response_format: 'b64_json', output_format: 'png', ...extra }),
  )
  return { ...got, file: decoded(got.body) }
}

/** Dynamo's synchronous shape. */
async function clip(who: Contender, shape: Shape, seed: number) {
  const got = await whole(await post(`${who.url}/v1/videos`, { ...ourBody(shape, seed), response_format: 'b64_json' }))
  return { ...got, file: decoded(got.body) }
}

/** SGLang makes clips in jobs only: asked for every 20 ms. */
async function job(who: Contender, shape: Shape, seed: number) {
  const made = JSON.parse((await whole(await post(`${who.url}/v1/videos`, sampling(shape, seed)))).body) as { id: string }
  for (;;) {
    const state = (await (await fetch(`${who.url}/v1/videos/${made.id}`)).json()) as { status: string; error?: { message: string } }
    if (state.status === 'failed') throw new Error(state.error?.message ?? 'failed')
    if (state.status === 'completed') break
    await Bun.sleep(20)
  }
  const response = await fetch(`${who.url}/v1/videos/${made.id}/content`)
  const first = now()
  const file = new Uint8Array(await response.arrayBuffer())
  if (!response.ok) throw new Error(`${response.status}: ${new TextDecoder().decode(file).slice(0, 500)}`)
  return { file, first, last: now() }
}

async function whole(response: Response): Promise<{ body: string; first: number; last: number }> {
  const first = now()
  const body = await response.text()
  const last = now()
  if (!response.ok) throw new Error(`${response.status}: ${body.slice(0, 1000)}`)
  return { body, first, last }
}

function decoded(body: string): Uint8Array {
  const { data } = JSON.parse(body) as { data: { b64_json: string }[] }
  return Buffer.from(data[0]!.b64_json, 'base64')
}

/** SHA-256 of a PNG's pixels, by the engine's Python. */
export async function pixelSum(engine: Contender, png: Uint8Array): Promise<string> {
  const answer = (await (await fetch(`${engine.url}/pixels`, { method: 'POST', body: png })).json()) as { sha256?: string; error?: string }
  return answer.sha256 ?? `unreadable: ${answer.error}`
}

export const round = (ms: number): number => Math.round(ms * 10) / 10
