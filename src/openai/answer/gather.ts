// A whole answer: gathers what the pipeline pushes until the end. What chat and completions share when nothing is streamed.
import { AppError } from '../../lib/errors.ts'
import type { Answer, AnswerSink, ChoiceFinish, Pipeline, TextRequest, TokenLogprob, Usage } from '../../pipeline/types.ts'

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

/** Log-probabilities, alternatives included, that one whole answer may hold: some 300 MB of JSON. */
const MAX_LOGPROBS = 1 << 22

/** Shared by all parts of one HTTP answer. */
interface Held {
  logprobs: number
  /** Too many: ends all parts. */
  overflow(): void
}

/** Runs the requests together; rejects with the first failure and aborts the others. */
export async function gather(requests: readonly TextRequest[], pipeline: Pipeline, signal: AbortSignal): Promise<Gathered[]> {
  const first = requests[0]!
  if (requests.length === 1 && first.topLogprobs === undefined) return [await gatherOne(first, pipeline, signal)]
  const stop = new AbortController()
  const held: Held = { logprobs: 0, overflow: () => stop.abort() }
  const leave = () => stop.abort()
  if (signal.aborted) leave()
  signal.addEventListener('abort', leave, { once: true })
  try {
    return await Promise.all(requests.map((request) => gatherOne(request, pipeline, stop.signal, held)))
  } finally {
    stop.abort()
    signal.removeEventListener('abort', leave)
  }
}

async function gatherOne(request: TextRequest, pipeline: Pipeline, signal: AbortSignal, held?: Held): Promise<Gathered> {
  const sink = new GatherSink(request.n, held)
  await pipeline.run(request, sink, signal)
  if (held !== undefined && held.logprobs > MAX_LOGPROBS) throw tooMany()
  if (sink.error !== undefined) throw sink.error
  if (sink.answer === undefined || sink.usage === undefined) throw new Error('the pipeline resolved without a terminal call')
  return { answer: sink.answer, choices: sink.choices, usage: sink.usage }
}

class GatherSink implements AnswerSink {
  readonly choices: Choice[]
  answer: Answer | undefined
  usage: Usage | undefined
  error: AppError | undefined
  readonly #held: Held | undefined

  constructor(n: number, held?: Held) {
    this.#held = held
    this.choices = Array.from({ length: n }, () => ({ text: '', logprobs: undefined, finish: undefined }))
  }

  begin(answer: Answer): void {
    this.answer = answer
  }

  text(index: number, text: string, logprobs: TokenLogprob[] | undefined): void {
    const choice = this.choices[index]!
    choice.text += text
    if (logprobs === undefined) return
    if (this.#held !== undefined) this.#count(this.#held, logprobs)
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

  #count(held: Held, logprobs: readonly TokenLogprob[]): void {
    const before = held.logprobs
    for (const { top } of logprobs) held.logprobs += 1 + top.length
    if (before <= MAX_LOGPROBS && held.logprobs > MAX_LOGPROBS) held.overflow()
  }
}

function tooMany(): AppError {
  return new AppError('invalid_value', {
    message: `The answer would hold more than ${MAX_LOGPROBS} log-probabilities. Ask for fewer choices, tokens or alternatives, or stream it.`,
    param: 'logprobs',
  })
}
