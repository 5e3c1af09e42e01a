// Before a prefill or decode engine counts as ready: one token of each rank, so that no request pays for SGLang's first pass.
import { canaryRequest } from '../../canary.ts'
import type { EngineInfo, Sink } from '../../types.ts'
import { abortFrame, generateFrame } from '../frames.ts'
import type { Bridge } from '../launch/launch.ts'
import type { Rows } from '../requests/rows.ts'
import type { Slots } from '../requests/slots.ts'

/** The first pass may compile kernels for minutes. */
const limitMs = 1_800_000

/** Resolves when every rank has answered, whatever it said, or the engine died. Does nothing for an aggregated engine, which needs no other leg. */
export async function warmUp(bridge: Bridge, info: EngineInfo, slots: Slots, rows: Rows, notice: (text: string) => void): Promise<void> {
  if (info.role === 'aggregated' || info.isEmbedding) return
  await Promise.all(Array.from({ length: info.dpSize }, (_, rank) => one(bridge, info, rank, slots, rows, notice)))
}

function one(bridge: Bridge, info: EngineInfo, rank: number, slots: Slots, rows: Rows, notice: (text: string) => void): Promise<void> {
  return new Promise((resolve) => {
    const failed = (why: string) => notice(`rank ${rank} did not warm up: ${why}`)
    const sink: Sink = {
      push() {},
      end: (finish) => finish.kind === 'abort' && failed(finish.message),
      fail: (error) => failed(error.message),
    }
    const late = setTimeout(() => {
      failed(`no answer within ${limitMs / 60_000} minutes`)
      bridge.send(abortFrame([running.rid]))
      resolve()
    }, limitMs)
    const ended = () => {
      clearTimeout(late)
      resolve()
    }
    const request = canaryRequest(info, rank, `warm-up-${rank}`)
    const running = slots.open(bridge.epoch, request.promptIds.length, sink, rows.lostFrames, ended, rank)
    bridge.send(generateFrame(running.slot, running.rid, request))
  })
}
