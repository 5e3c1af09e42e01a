// A sink that writes down what it hears, and puts the answer together as a client would.
import type { AppError } from '../../../src/lib/errors.ts'
import type { Answer, AnswerSink, ChoiceFinish, TokenLogprob, Usage } from '../../../src/pipeline/types.ts'

export interface Listener {
  sink: AnswerSink
  /** Every call, one string each. */
  heard: string[]
  texts: string[]
  logprobs: TokenLogprob[][]
  finishes: (ChoiceFinish | undefined)[]
  usage: Usage | undefined
  error: AppError | undefined
  answer: Answer | undefined
}

/** `onText` is called with the number of texts so far. */
export function listener(onText: (count: number) => void = () => {}): Listener {
  let count = 0
  const all: Listener = {
    heard: [],
    texts: [],
    logprobs: [],
    finishes: [],
    usage: undefined,
    error: undefined,
    answer: undefined,
    sink: {
      begin(answer) {
        all.answer = answer
        all.heard.push('begin')
      },
      text(choice, text, logprobs) {
        all.heard.push(`${choice}:${text}`)
        all.texts[choice] = (all.texts[choice] ?? '') + text
        if (logprobs !== undefined) all.logprobs[choice] = [...(all.logprobs[choice] ?? []), ...logprobs]
        onText(++count)
      },
      finish(choice, finish) {
        all.heard.push(`${choice} ${finish.reason} ${finish.matched}`)
        all.finishes[choice] = finish
      },
      end(usage) {
        all.heard.push('end')
        all.usage = { ...usage }
      },
      fail(error) {
        all.heard.push(`fail ${error.code}`)
        all.error = error
      },
    },
  }
  return all
}
