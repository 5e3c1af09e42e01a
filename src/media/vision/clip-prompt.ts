// What stands in a prompt for a clip: its rows alone, or, where the model is told times (Qwen3-VL), before the rows of each group of frames the second at which it is
// seen, as SGLang 0.5.23 and the model's own processor write it (build_input_ids_with_timestamps, replace_video_token).
import type { ClipModel, Plan } from './vision.ts'

/** The texts between the rows, in order; each is tokenized alone, since what stands around it are special tokens. */
export function timeTexts(seconds: readonly number[]): string[] {
  return seconds.map((second) => `<${oneDecimal(second)} seconds>`)
}

/** In place of the template's one `videoTokenId`. `times`: the ids of timeTexts, where there are some. */
export function clipRun(
  { marks }: Pick<ClipModel, 'marks'>,
  { grid, tokens }: Plan,
  videoTokenId: number,
  times: readonly ArrayLike<number>[] | undefined,
): number[] {
  if (times === undefined || marks === undefined) return new Array<number>(tokens).fill(videoTokenId)
  const rows = new Array<number>(tokens / grid[0]).fill(videoTokenId)
  return times.flatMap((text) => [...Array.from(text), marks[0], ...rows, marks[1]])
}

/** As Python writes it: a half goes to the even digit, where JavaScript takes the larger one. Only odd quarters are halves to the bit. */
function oneDecimal(value: number): string {
  const half = Number.isInteger(value * 4) && !Number.isInteger(value * 2)
  if (!half) return value.toFixed(1)
  const below = Math.floor(value * 10)
  return ((below % 2 === 0 ? below : below + 1) / 10).toFixed(1)
}
