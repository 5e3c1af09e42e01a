// Looks at an answer on its way to the sink, for the few requests that ask for more than text: when it began, ids instead of token texts.
import type { AnswerSink, Pipeline, TokenLogprob } from '../../pipeline/types.ts'

export interface Tap {
  /** performance.now() at the first text. */
  firstTextAt: number | undefined
  pipeline: Pipeline
}

/** A pipeline whose answers are seen by the tap. `tokensAsIds` names tokens `token_id:N` in logprobs. */
export function tap(pipeline: Pipeline, tokensAsIds: boolean): Tap {
  const seen: Tap = {
    firstTextAt: undefined,
    pipeline: { ...pipeline, run: (request, sink, signal) => pipeline.run(request, tapped(sink), signal) },
  }

  function tapped(sink: AnswerSink): AnswerSink {
    return {
      begin: (answer) => sink.begin(answer),
      text(choice, text, logprobs) {
        seen.firstTextAt ??= performance.now()
        sink.text(choice, text, tokensAsIds ? logprobs?.map(idToken) : logprobs)
      },
      finish: (choice, finish) => sink.finish(choice, finish),
      end: (usage) => sink.end(usage),
      fail: (error) => sink.fail(error),
    }
  }

  return seen
}

function idToken(token: TokenLogprob): TokenLogprob {
  return { ...token, text: `token_id:${token.id}`, top: token.top.map((other) => ({ ...other, text: `token_id:${other.id}` })) }
}
