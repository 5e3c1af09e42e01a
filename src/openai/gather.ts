// A whole answer: gathers what the pipeline pushes until the end. What chat and completions share when nothing is streamed.
import type { AppError } from '../lib/errors.ts'
import type { Answer, AnswerSink, ChoiceFinish, Pipeline, TextRequest, TokenLogprob, Usage } from '../pipeline/types.ts'

export interface Choice {
  text: string
  logprobs: TokenLogprob[] | undefined
  finish: ChoiceFinish | undefined
}

export interface Gathered {
  answer: Answer
  choices: Choice[]
  usage: Usage
}

/** Runs the requests together; rejects with the first failure and aborts the others. */
export async function gather(requests: readonly TextRequest[], pipeline: Pipeline, signal: AbortSignal): Promise<Gathered[]> {
  if (requests.length === 1) return [await gatherOne(requests[0]!, pipeline, signal)]
  const stop = new AbortController()
  const leave = () => stop.abort()
  if (signal.aborted) leave()
  signal.addEventListener('abort', leave, { once: true })
  try {
    return await Promise.all(requests.map((request) => gatherOne(request, pipeline, stop.signal)))
  } finally {
    stop.abort()
    signal.removeEventListener('abort', leave)
  }
}

/** Token counts of several answers together. */
export function sumUsage(gathered: readonly Gathered[]): Usage {
  if (gathered.length === 1) return gathered[0]!.usage
  const sum: Usage = { promptTokens: 0, completionTokens: 0, cachedTokens: 0, reasoningTokens: 0 }
  for (const { usage } of gathered) {
    sum.promptTokens += usage.promptTokens
    sum.completionTokens += usage.completionTokens
    sum.cachedTokens += usage.cachedTokens
    sum.reasoningTokens += usage.reasoningTokens
  }
  return sum
}

async function gatherOne(request: TextRequest, pipeline: Pipeline, signal: AbortSignal): Promise<Gathered> {
  const sink = new GatherSink(request.n)
  await pipeline.run(request, sink, signal)
  if (sink.error !== undefined) throw sink.error
  if (sink.answer === undefined || sink.usage === undefined) throw new Error('the pipeline resolved without a terminal call')
  return { answer: sink.answer, choices: sink.choices, usage: sink.usage }
}

class GatherSink implements AnswerSink {
  readonly choices: Choice[]
  answer: Answer | undefined
  usage: Usage | undefined
  error: AppError | undefined

  constructor(n: number) {
    this.choices = Array.from({ length: n }, () => ({ text: '', logprobs: undefined, finish: undefined }))
  }

  begin(answer: Answer): void {
    this.answer = answer
  }

  text(index: number, text: string, logprobs: TokenLogprob[] | undefined): void {
    const choice = this.choices[index]!
    choice.text += text
    if (logprobs === undefined) return
    if (choice.logprobs === undefined) choice.logprobs = [...logprobs]
    else for (const token of logprobs) choice.logprobs.push(token)
  }

  finish(index: number, finish: ChoiceFinish): void {
    this.choices[index]!.finish = finish
  }

  end(usage: Usage): void {
    this.usage = { ...usage }
  }

  fail(error: AppError): void {
    this.error = error
  }
}
