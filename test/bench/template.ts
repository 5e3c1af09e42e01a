// How long a chat render takes, ours beside @huggingface/jinja on the same inputs, in turns. `bun test/bench/template.ts`
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Template } from '@huggingface/jinja'
import { makeChatTemplate } from '../../src/template/render.ts'

const folder = join(import.meta.dir, '../../models/templates')
const specialTokens = { bos_token: '<s>', eos_token: '</s>' }
const chat = (turns: number) =>
  Array.from({ length: turns }, (_, i) => ({
    role: i % 2 === 0 ? 'user' : 'assistant',
    content: `Message ${i}: ${'some words of a chat '.repeat(12)}`,
  }))
const tools = JSON.parse(readFileSync(join(folder, 'cases.json'), 'utf8')).tools as unknown[]

/** Median of 9 runs of `count` calls, in microseconds of CPU a call: other work on the machine counts less than in wall time. */
function measure(run: () => string, count: number): number {
  // Reading a character makes the engine join the pieces, which length alone would not.
  let length = 0
  const times: number[] = []
  for (let round = 0; round < 9; round++) {
    const start = process.cpuUsage()
    for (let i = 0; i < count; i++) length += run().charCodeAt(1)
    const used = process.cpuUsage(start)
    times.push((used.user + used.system) / count)
  }
  if (length === 0) throw new Error('nothing was rendered')
  return times.sort((a, b) => a - b)[4]!
}

const rows: Record<string, string | number>[] = []
for (const name of ['chatml', 'qwen3', 'llama3', 'harmony']) {
  const source = readFileSync(join(folder, `${name}.jinja`), 'utf8')
  const ours = makeChatTemplate({ templates: { default: source }, specialTokens })
  const theirs = new Template(source)
  for (const [label, messages, withTools] of [
    ['1 message', chat(1), false],
    ['19 messages', chat(19), false],
    ['1 message, 2 tools', chat(1), true],
  ] as const) {
    const input = { messages, tools: withTools ? tools : undefined, addGenerationPrompt: true }
    const inputs = {
      messages,
      tools: withTools ? tools : null,
      add_generation_prompt: true,
      ...specialTokens,
    }
    const own = measure(() => ours.render(input), 2000)
    let peer: number | string
    try {
      peer = Number(measure(() => theirs.render(inputs), 100).toFixed(1))
    } catch (error) {
      peer = `fails: ${(error as Error).message.slice(0, 60)}`
    }
    rows.push({ template: name, input: label, 'ours µs': Number(own.toFixed(2)), '@huggingface/jinja µs': peer })
  }
  const start = performance.now()
  for (let i = 0; i < 50; i++) makeChatTemplate({ templates: { default: source }, specialTokens })
  rows.push({
    template: name,
    input: 'compile',
    'ours µs': Math.round(((performance.now() - start) * 1000) / 50),
    '@huggingface/jinja µs': '',
  })
}
console.table(rows)
