// What the setups are asked: texts that must be equal, rows of load by size and number of clients, and many pictures at once.
import { readFileSync } from 'node:fs'
import { type Answer, askStreamed, meansBetween, rounded, stageSums } from '../../bench/vision/stages.ts'
import type { Standing } from './setups.ts'

export const dataUrl = (file: string): string =>
  `data:image/${file.endsWith('png') ? 'png' : 'jpeg'};base64,${readFileSync(file).toString('base64')}`

const question = 'What do you see in this picture? Answer in a few words.'
/** As long as a picture's rows, before it. */
const longText = Array.from({ length: 60 }, (_, i) => `Line ${i} of a long text that stands before the picture.`).join(' ')

export interface Case {
  name: string
  pictures: string[]
  text: string
}

/** One picture of each file, two at once, one after a long text. */
export function casesOf(files: readonly string[]): Case[] {
  const one = files.map((file) => ({ name: file.split('/').at(-1)!, pictures: [dataUrl(file)], text: question }))
  const [first, second = first] = one
  return [
    ...one,
    { name: 'two', pictures: [...first!.pictures, ...second!.pictures], text: question },
    { name: 'after a long text', pictures: first!.pictures, text: `${longText} ${question}` },
  ]
}

/** Greedy, one after another, so that everybody computes with the same batches. */
export async function textsOf({ url, model }: Standing, cases: readonly Case[], tokens: number): Promise<string[]> {
  const found: string[] = []
  for (const { pictures, text } of cases) {
    const answer = await askStreamed({ url, model, pictures, text, tokens })
    found.push(answer.error === undefined ? answer.text : `(${answer.error.slice(0, 200)})`)
  }
  return found
}

export function compared(found: readonly string[], expected: readonly string[], cases: readonly Case[]) {
  return {
    equal: found.filter((text, i) => text === expected[i]).length,
    of: cases.length,
    different: new Set(expected).size,
    unequal: cases.flatMap(({ name }, i) =>
      found[i] === expected[i] ? [] : [{ name, found: found[i]!.slice(0, 80), expected: expected[i]?.slice(0, 80) }],
    ),
  }
}

export interface Load {
  files: readonly string[]
  concurrency: number
  requests: number
  tokens: number
  /** No request begins after so many seconds. */
  secs: number
}

/** A closed loop; each request has a picture that nobody had before. */
export async function row({ url, model, metrics }: Standing, { files, concurrency, requests, tokens, secs }: Load) {
  const before = await stageSums(metrics)
  const answers: Answer[] = []
  const began = performance.now()
  let next = 0
  const lane = async () => {
    while (next < Math.min(requests, files.length) && performance.now() - began < secs * 1000) {
      const picture = dataUrl(files[next++]!)
      answers.push(await askStreamed({ url, model, pictures: [picture], text: question, tokens }))
    }
  }
  await Promise.all(Array.from({ length: concurrency }, lane))
  const wall = (performance.now() - began) / 1000
  return { concurrency, ...summary(answers, wall), stages: meansBetween(before, await stageSums(metrics)) }
}

/** All at once, each another picture; `again` are asked a second time, one after another, and must say the same. */
export async function burst(standing: Standing, files: readonly string[], again: number, tokens: number) {
  const { url, model } = standing
  const ask = (file: string) => askStreamed({ url, model, pictures: [dataUrl(file)], text: question, tokens })
  const began = performance.now()
  const answers = await Promise.all(files.map(ask))
  const wall = (performance.now() - began) / 1000
  let equal = 0
  for (const [i, file] of files.slice(0, again).entries()) if ((await ask(file)).text === answers[i]!.text) equal++
  return { ...summary(answers, wall), different: new Set(answers.map(({ text }) => text)).size, askedAgain: again, equalAgain: equal }
}

function summary(answers: readonly Answer[], secs: number) {
  const good = answers.filter(({ error }) => error === undefined)
  const ttft = good.map(({ ttftMs }) => ttftMs ?? 0).sort((a, b) => a - b)
  const errors = answers.flatMap(({ error }) => error ?? [])
  const tokens = good.reduce((sum, one) => sum + one.tokens, 0)
  return {
    ...{ requests: answers.length, failed: errors.length, secs: rounded(secs), tokPerSec: Math.round(tokens / secs) },
    ...{
      picturesPerSec: rounded(good.length / secs),
      ttftP50: ttft[ttft.length >> 1],
      ttftP99: ttft[Math.floor((ttft.length - 1) * 0.99)],
    },
    ...(errors.length > 0 && { errors: [...new Set(errors)].slice(0, 3) }),
  }
}
