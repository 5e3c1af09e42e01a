// The official npm client of OpenAI, pointed at a started server.
import OpenAI from 'openai'
import type { Started } from './processes/start.ts'

export const model = 'models/tiny-llm'

/** Does not retry: a test wants the first answer. */
export const openai = (server: Pick<Started, 'url'>): OpenAI =>
  new OpenAI({ baseURL: `${server.url}/v1`, apiKey: 'none', maxRetries: 0, timeout: 30_000 })
