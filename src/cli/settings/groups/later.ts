// Known flags of work that this version does not do: each is refused by name.
import { flag } from '../setting.ts'

const refused = { state: 'refused' } as const

export const laterSettings = {
  multimodalProcessor: flag('later', '--multimodal-processor', 'DYN_SGL_MULTIMODAL_PROCESSOR', 'Run as multimodal processor', refused),
  multimodalEncodeWorker: flag('later', '--multimodal-encode-worker', 'DYN_SGL_MULTIMODAL_ENCODE_WORKER', 'Encode images only', refused),
  multimodalWorker: flag('later', '--multimodal-worker', 'DYN_SGL_MULTIMODAL_WORKER', 'Run the language part of a vision model', refused),
  dedicatedMmEncoder: flag('later', '--dedicated-mm-encoder', 'DYN_SGL_DEDICATED_MM_ENCODER', 'Expect a separate image encoder', refused),
  rerankWorker: flag('later', '--rerank-worker', 'DYN_SGL_RERANK_WORKER', 'Serve a reranking model', refused),
}
