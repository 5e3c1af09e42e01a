// Chats with pictures and sounds as clients send them, what comes back, and what the router then knows of them.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { cpuArgs, cpuEnv } from '../helpers/sglang.ts'
import { dataUrl } from './clips.ts'
import { type Started, start } from './processes/start.ts'

export const picture = (url: string) => ({ type: 'image_url', image_url: { url } })
export const sound = (file: Uint8Array) => ({ type: 'audio_url', audio_url: { url: dataUrl(file, 'audio/wav') } })
export const text = (words: string) => ({ type: 'text', text: words })
export const user = (...content: unknown[]) => ({ role: 'user', content })

export interface Answer {
  status: number
  text?: string | undefined
  tokens?: number | undefined
  error?: { message: string; param?: string | null; code?: string }
}

/** A greedy answer of 16 tokens to messages, or to a prompt of text. */
export async function ask(url: string, prompt: unknown): Promise<Answer> {
  const [path, what] = typeof prompt === 'string' ? ['completions', { prompt }] : ['chat/completions', { messages: prompt }]
  const response = await post(`${url}/v1/${path}`, { model: 'tiny', ...what, max_tokens: 16, temperature: 0, ignore_eos: true })
  const { choices, usage, error, message } = (await response.json()) as {
    choices?: { text?: string; message?: { content: string } }[]
    usage?: { prompt_tokens: number }
    error?: Answer['error']
    message?: string
  }
  const text = choices?.[0]?.text ?? choices?.[0]?.message?.content
  const failed = error ?? (message === undefined ? undefined : { message })
  return { status: response.status, text, tokens: usage?.prompt_tokens, ...(failed && { error: failed }) }
}

/** Leading blocks of a chat that the only worker's KV events have told of. */
export async function heldBlocks(url: string, messages: unknown): Promise<number> {
  const response = await post(`${url}/debug/route`, { model: 'tiny', messages })
  const { candidates } = (await response.json()) as { candidates: { overlap: { device: number } }[] }
  return candidates[0]!.overlap.device
}

const post = (url: string, body: unknown) =>
  fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })

/** `serve` with a real SGLang on the CPU; with discovery, and so with its KV events followed, and nothing believed that they do not tell. */
export async function serveReal(python: string, model: string, level: 'L0' | 'L1' | 'L2', flags: readonly string[]): Promise<Started> {
  const folder = mkdtempSync(join(tmpdir(), 'dsgl-found-'))
  const front = '--http-host 127.0.0.1 --http-port {port} --served-model-name tiny --discovery-backend file --router-predicted-ttl-secs 0'
  const engine = ['--engine', 'sglang', '--python', python, '--bridge-level', level, ...cpuArgs(model), ...flags]
  const started = await start({
    command: ['serve', ...front.split(' '), '--file-kv', folder, '--router-mode', 'kv', ...engine],
    env: cpuEnv(),
    readySecs: 300,
  })
  return {
    ...started,
    async stop(ms) {
      const code = await started.stop(ms)
      rmSync(folder, { recursive: true, force: true })
      return code
    },
  }
}
