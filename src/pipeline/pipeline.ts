// The middle as handlers see it: one object over the models that are served now.
import { bestOf } from './best-of.ts'
import { embed } from './embed.ts'
import type { ModelRegistry } from './model.ts'
import { placementOf } from './place.ts'
import { checkIds, prepare, tokenizePrompt } from './prepare.ts'
import { run } from './run.ts'
import type { Pipeline } from './types.ts'

/** A pipeline over `models`; models may come and go while it runs. */
export function createPipeline(models: ModelRegistry): Pipeline {
  return {
    models: () => models.all().map((model) => model.served),
    ready: () => models.all().some((model) => model.router.ready()),
    run(request, sink, signal) {
      const best = bestOf(request, sink)
      return run(best.request, best.sink, signal, models)
    },
    embed: (request, signal) => embed(request, signal, models),
    async explain(request) {
      const model = models.find(request.model)
      const { routeIds, sampling } = await prepare(request, model, new AbortController().signal)
      return model.router.explain(placementOf(request, routeIds, sampling))
    },
    async tokenize(name, prompt) {
      return await tokenizePrompt(prompt, models.find(name)).ids
    },
    detokenize(name, ids, skipSpecial) {
      const model = models.find(name)
      checkIds(ids, model, 'tokens')
      return model.tokenizer.decode(ids, skipSpecial)
    },
  }
}
