// Log-probabilities that look like a model's: functions of the ids so far, never above 0, best first, summing to less than one.
import type { LogprobRequest, PromptLogprobs, RowLogprobs, TopLogprobs } from '../../types.ts'
import { draw, roll } from './text.ts'

/** For the token `id` that was chosen in state `hash`: its value and, when asked for, the alternatives with itself first. */
export function rowLogprobs(id: number, hash: number, textIds: Int32Array, want: LogprobRequest, bias?: Map<number, number>): RowLogprobs {
  const chosen = likelihood(hash)
  const values = [Math.log(chosen)]
  if (want.top === 0 && !want.tokenIds?.length) return { values }
  return { values, top: [alternatives(id, chosen, hash, textIds, want, bias)] }
}

/** For the prompt's ids from `want.promptStart`; `startHash` is the state before the prompt's first id. */
export function promptLogprobs(prompt: ArrayLike<number>, startHash: number, textIds: Int32Array, want: LogprobRequest): PromptLogprobs {
  const ids: number[] = []
  const values: (number | null)[] = []
  const top: (TopLogprobs | null)[] = []
  let hash = startHash
  for (let i = 0; i < prompt.length; i++) {
    const id = prompt[i]!
    if (i >= want.promptStart) {
      const first = ids.length === 0
      ids.push(id)
      values.push(first ? null : Math.log(likelihood(hash)))
      top.push(first ? null : alternatives(id, likelihood(hash), hash, textIds, want, undefined))
    }
    hash = roll(hash, id)
  }
  return want.top > 0 || want.tokenIds?.length ? { ids, values, top } : { ids, values }
}

/** Between 0.5 and 0.9, so that the chosen token is the likeliest. */
function likelihood(hash: number): number {
  return 0.5 + 0.4 * (draw(hash, 3) / 0x1_0000_0000)
}

/** The chosen token, then others with half of what is left each; `tokenIds` that were asked for follow. */
function alternatives(
  id: number,
  chosen: number,
  hash: number,
  textIds: Int32Array,
  want: LogprobRequest,
  bias: Map<number, number> | undefined,
): TopLogprobs {
  const top: TopLogprobs = { ids: [], values: [] }
  if (want.top > 0) {
    top.ids.push(id)
    top.values.push(Math.log(chosen))
  }
  let rest = 1 - chosen
  const first = draw(hash, 0) % textIds.length
  for (let i = 0; i < textIds.length && top.ids.length < want.top; i++) {
    const other = textIds[(first + i) % textIds.length]!
    if (other === id || (bias?.get(other) ?? 0) <= -100) continue
    rest /= 2
    top.ids.push(other)
    top.values.push(Math.log(rest))
  }
  for (const other of want.tokenIds ?? []) {
    if (top.ids.includes(other)) continue
    rest /= 2
    top.ids.push(other)
    top.values.push(Math.log(other === id ? chosen : rest))
  }
  return top
}
