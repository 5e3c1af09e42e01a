// A prefill and a decode engine behind the router, for tests of what is computed apart.
import { expect } from 'bun:test'
import type { Engine } from '../../src/engine/engine.ts'
import type { GenerateRequest } from '../../src/engine/types.ts'
import { padPictures } from '../../src/lib/media-pads.ts'
import { createRouter } from '../../src/router/create.ts'
import { defaultRouterOptions } from '../../src/router/options.ts'
import { workerSet } from '../../src/router/workers.ts'
import { type Ran, runRequest, until } from './run-request.ts'

export interface Halves {
  /** Place, run, release. */
  ask(request: GenerateRequest, signal?: AbortSignal, onPush?: (ran: Ran) => void): Promise<Ran>
  /** Nothing runs in either engine, and nothing is booked. */
  idle(withinMs?: number): Promise<void>
  close(): void
}

export function halvesOf(prefill: Engine, decode: Engine): Halves {
  const workers = workerSet()
  workers.add({ id: 'p1', engine: prefill })
  workers.add({ id: 'd1', engine: decode })
  const router = createRouter(workers, defaultRouterOptions)
  return {
    async ask(request, signal = new AbortController().signal, onPush = () => {}) {
      const routeIds = request.media === undefined ? request.promptIds : padPictures(request.promptIds, request.media, 'wide')
      const lease = await router.place({ requestId: request.requestId, promptIds: routeIds }, signal)
      const ran = await runRequest(lease.engine as Engine, request, signal, (so) => {
        lease.started()
        onPush(so)
      })
      lease.release({ ...(ran.usage && { usage: ran.usage }), ...(ran.error && { error: ran.error }) })
      return ran
    },
    async idle(withinMs) {
      await until('no request in either engine', () => prefill.inFlight() + decode.inFlight() === 0, withinMs)
      expect(router.booked()).toEqual({ requests: 0, prefillTokens: 0, decodeBlocks: 0, queued: 0 })
    },
    close: () => router.close(),
  }
}

/** What SGLang on the CPU must be told to be either half, over NIXL. */
export const halfArgs = {
  aggregated: [],
  // Without a GPU, SGLang's overlapped scheduling waits for CUDA events, and its host pool for retracted requests is pinned by CUDA.
  prefill: '--disaggregation-mode prefill --disaggregation-transfer-backend nixl --disable-overlap-schedule'.split(' '),
  decode: '--disaggregation-mode decode --disaggregation-transfer-backend nixl --disaggregation-decode-retraction-backup cpu_tensor'.split(
    ' ',
  ),
}
