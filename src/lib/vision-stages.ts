// How long the parts of a picture's way take, told to whoever wants to know: /metrics of the process that does them.

/**
 * In the order of the way. `fetch`: from the part's address to a file in memory; `decode`: the whole file, to know that it is a picture; `encoder_decode`, `preprocess`
 * and `encode`: in the process of our own tower, `encode` as long as the whole batch; of SGLang's own encoder `encode` is all of it, from our question to its rows; `transfer`: what the way to an encode worker and back adds to its work;
 * `prefill`: from the engine's question, with rows where it does not encode itself, to its first token, where the
 * prompt is computed: never in a decode worker, which only waits for it.
 */
export type VisionStage = 'fetch' | 'decode' | 'encoder_decode' | 'preprocess' | 'encode' | 'transfer' | 'prefill'

/** Hears of a part that is over. */
export type StageTimer = (stage: VisionStage, ms: number) => void

/** Into `dynamo_component_vision_stage_seconds`, whose parts are loaded with the first picture: text needs none. */
export function stageTimer(model: string): StageTimer {
  return (stage, ms) =>
    void import('./vision-stage-metrics.ts').then(({ stageSeconds }) => stageSeconds.observe({ model, stage }, ms / 1000))
}
