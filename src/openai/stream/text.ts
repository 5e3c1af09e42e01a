// Answers as server-sent events: what chat and completions share. Hot path: each piece of text is three strings put together, flat ones,
// or the socket's write would walk over all that they were made of.
import { AppError, toAppError } from '../../lib/errors.ts'
import { flat } from '../../lib/flat.ts'
import { jsonInner } from '../../lib/json.ts'
import type { Answer, AnswerSink, ChoiceFinish, Pipeline, TextRequest, TokenLogprob, Usage } from '../../pipeline/types.ts'
import { placeHeaders } from '../answer/place.ts'
import { sumUsage, usageBody } from '../answer/usage.ts'
import { errorEvent } from '../errors.ts'
import type { Outcome } from '../outcome.ts'
import { SseWriter } from './sse-writer.ts'

export interface StreamOptions {
  /** `chatcmpl-…` or `cmpl-…`. */
  id: string
  createdSecs: number
  /** The model as the client named it. */
  model: string
  includeUsage: boolean
  /** Usage in every chunk. */
  continuousUsage: boolean
  /** More response headers, known before the answer begins. */
  headers?: Record<string, string>
  /** Extra members for the last chunk (`"nvext":{…}`), without a comma; an empty string for none. */
  extras?: (answer: Answer, finishes: readonly ChoiceFinish[]) => string
  /** Called once when the answer is over, however it ended. */
  outcome(outcome: Outcome): void
}

/** How one endpoint writes its chunks; `head` is everything up to and including `"choices":[`. */
export interface StreamShape {
  object: string
  /** From the choice's opening brace to the opening quote of its text. */
  before(choice: number, first: boolean): string
  /** From the closing quote of the text to the choice's closing brace. */
  after(logprobs: TokenLogprob[] | undefined, choice: number): string
  finish(choice: number, finish: ChoiceFinish, first: boolean): string
}

/**
 * Runs `requests` (several: a batch of prompts; choice i of prompt p is p·n+i) into one event stream.
 * Resolves when the first event is there; rejects with an AppError when it failed before that.
 */
export function streamText(
  requests: readonly TextRequest[],
  shape: StreamShape,
  pipeline: Pipeline,
  options: StreamOptions,
  signal: AbortSignal,
): Promise<Response> {
  return new Promise<Response>((resolve, reject) => new TextStream(shape, options, signal, resolve, reject).start(requests, pipeline))
}

class TextStream {
  readonly #shape: StreamShape
  readonly #options: StreamOptions
  readonly #writer: SseWriter
  readonly #reject: (error: AppError) => void
  readonly #stop = new AbortController()
  readonly #head: string
  readonly #tail: string
  /** What follows a text without logprobs, unless the usage is told. */
  readonly #plainEnd: string
  readonly #before: (string | undefined)[] = []
  readonly #answers: Answer[] = []
  readonly #finishes: ChoiceFinish[] = []
  #left = 0
  #over = false
  #unread = false

  constructor(
    shape: StreamShape,
    options: StreamOptions,
    signal: AbortSignal,
    resolve: (response: Response) => void,
    reject: (error: AppError) => void,
  ) {
    this.#shape = shape
    this.#options = options
    this.#reject = reject
    this.#head = flat(
      `data: {"id":"${options.id}","object":"${shape.object}","created":${options.createdSecs},"model":${JSON.stringify(options.model)},"choices":[`,
    )
    this.#tail = options.includeUsage && !options.continuousUsage ? '],"usage":null}\n\n' : ']}\n\n'
    this.#plainEnd = flat(shape.after(undefined, 0) + this.#tail)
    this.#writer = new SseWriter({
      open: (body) => resolve(new Response(body, { headers: this.#headers() })),
      overflow: () => {
        this.#unread = true
        this.#stop.abort()
      },
    })
    if (signal.aborted) this.#stop.abort()
    else signal.addEventListener('abort', () => this.#stop.abort(), { once: true })
  }

  start(requests: readonly TextRequest[], pipeline: Pipeline): void {
    this.#left = requests.length
    for (const [index, request] of requests.entries()) pipeline.run(request, this.#sink(index * request.n, request.n), this.#stop.signal)
  }

  #sink(offset: number, choices: number): AnswerSink {
    const first: boolean[] = new Array(choices).fill(true)
    const stream = this
    return {
      begin(answer) {
        stream.#answers.push(answer)
      },
      text(choice, text, logprobs) {
        const opening = first[choice]!
        first[choice] = false
        stream.#text(offset + choice, opening, text, logprobs)
      },
      finish(choice, finish) {
        stream.#finishes[offset + choice] = finish
        stream.#writer.write(stream.#head + stream.#shape.finish(offset + choice, finish, first[choice]!) + stream.#close())
        first[choice] = false
      },
      end: () => stream.#end(),
      fail: (error) => stream.#fail(error),
    }
  }

  #text(choice: number, first: boolean, text: string, logprobs: TokenLogprob[] | undefined): void {
    let before: string | undefined
    if (first) before = this.#head + this.#shape.before(choice, true)
    else {
      before = this.#before[choice]
      if (before === undefined) {
        before = flat(this.#head + this.#shape.before(choice, false))
        this.#before[choice] = before
      }
    }
    this.#writer.write(before + jsonInner(text) + this.#after(logprobs, choice))
  }

  /** From the closing quote of a text to the end of its event. */
  #after(logprobs: TokenLogprob[] | undefined, choice: number): string {
    if (logprobs === undefined && !this.#options.continuousUsage) return this.#plainEnd
    return this.#shape.after(logprobs, choice) + this.#close()
  }

  #close(): string {
    return this.#options.continuousUsage ? `],"usage":${JSON.stringify(usageBody(this.#usage()))}}\n\n` : this.#tail
  }

  #usage(): Usage {
    // Hot path: with `continuous_usage_stats` each chunk tells it.
    if (this.#answers.length === 1) return this.#answers[0]!.usage
    return sumUsage(this.#answers.map((answer) => answer.usage))
  }

  #end(): void {
    if (--this.#left > 0 || this.#over) return
    this.#over = true
    const usage = this.#usage()
    const extras = this.#options.extras?.(this.#answers[0]!, this.#finishes) ?? ''
    let last = ''
    if (this.#options.includeUsage)
      last = `${this.#head}],"usage":${JSON.stringify(usageBody(usage))}${extras === '' ? '' : `,${extras}`}}\n\n`
    else if (extras !== '') last = `${this.#head}],${extras}}\n\n`
    const sent = this.#writer.end(`${last}data: [DONE]\n\n`)
    this.#options.outcome({ ...this.#worker(), usage, sent })
  }

  #fail(thrown: unknown): void {
    if (this.#over) return
    this.#over = true
    const error = this.#unread ? unread() : toAppError(thrown)
    this.#stop.abort()
    if (error.code === 'client_closed_request' && !this.#unread) this.#writer.close()
    else if (this.#writer.opened) this.#writer.end(`${errorEvent(error)}data: [DONE]\n\n`)
    this.#options.outcome({ ...this.#worker(), usage: this.#usage(), error })
    if (!this.#writer.opened) this.#reject(error)
  }

  #worker(): { workerId?: string } {
    const answer = this.#answers[0]
    return answer === undefined ? {} : { workerId: answer.workerId }
  }

  #headers(): Record<string, string> {
    const headers: Record<string, string> = {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache',
      ...this.#options.headers,
    }
    const answer = this.#answers[0]
    return answer === undefined ? headers : Object.assign(headers, placeHeaders(answer))
  }
}

/** Told in the stream: without it, an answer cut in the middle would look like a whole one. */
function unread(): AppError {
  return new AppError('client_closed_request', { message: 'The answer was not read for too long and was cut here. Read it as it comes.' })
}
