// Chats that carry pictures of people who mean harm, and what they are to be told.
import { expect } from 'bun:test'
import type { Started } from './processes/start.ts'

export interface Outcome {
  status: number
  code?: string
  param?: string
  message?: string
}
export type Part = Record<string, unknown>
export const text = (words: string): Part => ({ type: 'text', text: words })
export const picture = (url: unknown): Part => ({ type: 'image_url', image_url: { url } })
export const send = (server: Started, messages: unknown, init: RequestInit = {}) =>
  fetch(`${server.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'models/tiny-vl', messages, max_tokens: 4 }),
    ...init,
  })
export async function ask(server: Started, parts: unknown[]): Promise<Outcome> {
  const response = await send(server, [{ role: 'user', content: [text('What is this?'), ...parts] }])
  const { error } = (await response.json()) as { error?: Omit<Outcome, 'status'> }
  return { status: response.status, ...error }
}
/** The first picture after the question. */
export const at = 'messages[0].content[1].image_url.url'
export const refused = (code: string, message?: RegExp, param = at) => ({
  ...{ status: 400, code, param },
  ...(message && { message: expect.stringMatching(message) }),
})
