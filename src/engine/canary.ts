// A harmless request for any engine: one token of a one-token prompt, and with prefill and decode apart a leg that needs no other.
import type { EngineInfo, GenerateRequest } from './types.ts'

/** SGLang's name for a bootstrap peer that is not there: the leg runs alone, a decode leg on empty KV. */
export const fakeBootstrapHost = '2.2.2.2'

/** What a canary or a warm-up asks of `rank` of a text engine of any role. `promptIds` absent: one token. */
export function canaryRequest(info: EngineInfo, rank: number, requestId: string, promptIds?: Uint32Array): GenerateRequest {
  const request: GenerateRequest = {
    requestId,
    promptIds: promptIds ?? Uint32Array.of(info.vocabSize === 1 ? 0 : 1),
    sampling: { max_new_tokens: 1, temperature: 0, ignore_eos: true },
    stream: false,
  }
  if (info.dpSize > 1) request.dpRank = rank
  if (info.role === 'prefill' || info.role === 'decode') request.bootstrap = loneBootstrap(info, rank)
  return request
}

/** A bootstrap that no other leg answers. The room keeps SGLang's contract: never 0, and its remainder by the ranks is the rank. */
export function loneBootstrap(info: EngineInfo, rank: number): NonNullable<GenerateRequest['bootstrap']> {
  const room = bootstrapRoom(info.dpSize, rank)
  return { host: fakeBootstrapHost, port: info.bootstrap?.port ?? 8998, room, ...(info.role === 'decode' ? {} : { prefillDpRank: rank }) }
}

/** A room for one request: random, from 1 to 2^53 - 1, and `room % dpSize` is `rank`. */
export function bootstrapRoom(dpSize: number, rank: number): number {
  const most = Math.floor(Number.MAX_SAFE_INTEGER / dpSize) - 1
  return (1 + Math.floor(Math.random() * most)) * dpSize + rank
}
