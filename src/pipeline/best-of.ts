// Completions' `best_of`: more choices are generated than answered; the likeliest by mean log-probability are kept.
import type { AppError } from '../lib/errors.ts'
import type { Answer, AnswerSink, ChoiceFinish, TextRequest, TokenLogprob, Usage } from './types.ts'

interface Candidate {
  texts: { text: string; logprobs: TokenLogprob[] }[]
  finish: ChoiceFinish | undefined
  sum: number
  count: number
}

/** The request that is run for a `best_of` request, and a sink that answers with the best `n`. Whole answers only, never a stream. */
export function bestOf(request: TextRequest, sink: AnswerSink): { request: TextRequest; sink: AnswerSink } {
  const of = request.bestOf ?? request.n
  if (of <= request.n) return { request, sink }
  const candidates: Candidate[] = Array.from({ length: of }, () => ({ texts: [], finish: undefined, sum: 0, count: 0 }))
  const wantLogprobs = request.topLogprobs !== undefined

  const gather: AnswerSink = {
    begin: (answer: Answer) => sink.begin(answer),
    text(choice, text, logprobs = []) {
      const candidate = candidates[choice]!
      candidate.texts.push({ text, logprobs })
      for (const token of logprobs) {
        if (token.value === null) continue
        candidate.sum += token.value
        candidate.count++
      }
    },
    finish(choice, finish) {
      candidates[choice]!.finish = finish
    },
    end(usage: Usage) {
      const mean = (candidate: Candidate) => (candidate.count === 0 ? Number.NEGATIVE_INFINITY : candidate.sum / candidate.count)
      const best = [...candidates].sort((a, b) => mean(b) - mean(a)).slice(0, request.n)
      for (const [choice, candidate] of best.entries()) {
        for (const { text, logprobs } of candidate.texts) sink.text(choice, text, wantLogprobs ? logprobs : undefined)
        if (candidate.finish !== undefined) sink.finish(choice, candidate.finish)
      }
      sink.end(usage)
    },
    fail: (error: AppError) => sink.fail(error),
  }
  return { request: { ...request, n: of, topLogprobs: request.topLogprobs ?? 0 }, sink: gather }
}
