// Known flags of work that this version does not do: each is refused by name.
import { flag } from '../setting.ts'

const refused = { state: 'refused' } as const

export const laterSettings = {
  rerankWorker: flag('later', '--rerank-worker', 'DYN_SGL_RERANK_WORKER', 'Serve a reranking model', refused),
}
