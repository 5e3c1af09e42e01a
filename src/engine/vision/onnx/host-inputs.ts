// What the graph of a tower (export/python/tower.py) wants beside the pixels: which patch stands where, for frames of one size. Formulas as in
// transformers.vision_utils; the patches come in the order of its picture processors: row of the output by row, the four patches of each together.
import type { TowerFacts } from './tower-file.ts'

/** All of `frames` × `height` × `width` patches, frame by frame. */
export interface Frames {
  frames: number
  /** In patches. */
  height: number
  width: number
  /** Groups of following frames that attend to each other; absent: each frame to itself only. */
  groups?: number
}

/** A named tensor; int64 as ONNX wants its indices. */
export type HostTensor = { values: Float32Array; shape: number[] } | { values: BigInt64Array; shape: number[] }

/** Hides a place of a window that no patch stands at: exp of it is 0 in float32. */
const hidden = -1e9

/** Every input of the graph but `pixel_values`. */
export function hostInputs(facts: TowerFacts, size: Frames): Record<string, HostTensor> {
  const { frames, height, width, groups = frames } = size
  const patches = frames * height * width
  const places = placesOfFrame(height, width, facts.merge)
  const windows = facts.window ? windowOrder(facts, size) : undefined
  const inputs: Record<string, HostTensor> = {
    ...rotary(facts, size, places, windows?.order),
    group_shape: { values: BigInt64Array.of(BigInt(groups), BigInt(patches / groups), BigInt(facts.hidden)), shape: [3] },
  }
  if (facts.side) Object.assign(inputs, positionTaps(facts.side, size, places))
  if (windows) Object.assign(inputs, windowInputs(facts, windows, patches))
  return inputs
}

interface Places {
  rows: Int32Array
  columns: Int32Array
}

/** Row and column of each patch of a frame. */
function placesOfFrame(height: number, width: number, merge: number): Places {
  const rows = new Int32Array(height * width)
  const columns = new Int32Array(height * width)
  let at = 0
  for (let blockRow = 0; blockRow < height; blockRow += merge)
    for (let blockColumn = 0; blockColumn < width; blockColumn += merge)
      for (let row = 0; row < merge; row++)
        for (let column = 0; column < merge; column++, at++) {
          rows[at] = blockRow + row
          columns[at] = blockColumn + column
        }
  return { rows, columns }
}

/** cos and sin of [patches, head / 2]: a quarter of the head turns with the row, a quarter with the column. In window order where there is one. */
function rotary(facts: TowerFacts, { frames, height, width }: Frames, { rows, columns }: Places, order: Int32Array | undefined) {
  const half = facts.hidden / facts.heads / 2
  const quarter = half / 2
  const unit = facts.merge ** 2
  const frequencies = Float32Array.from({ length: quarter }, (_, i) => 1 / Math.fround(facts.theta ** Math.fround((2 * i) / half)))
  // One turn for each row or column and frequency: patches share them.
  const side = Math.max(height, width)
  const cosines = new Float32Array(side * quarter)
  const sines = new Float32Array(side * quarter)
  for (let place = 0; place < side; place++)
    for (let i = 0; i < quarter; i++) {
      const angle = Math.fround(place * frequencies[i]!)
      cosines[place * quarter + i] = Math.cos(angle)
      sines[place * quarter + i] = Math.sin(angle)
    }
  const inFrame = height * width
  const patches = frames * inFrame
  const cos = new Float32Array(patches * half)
  const sin = new Float32Array(patches * half)
  for (let at = 0; at < patches; at++) {
    const source = (order ? order[Math.floor(at / unit)]! * unit + (at % unit) : at) % inFrame
    const row = rows[source]! * quarter
    const column = columns[source]! * quarter
    for (let i = 0; i < quarter; i++) {
      cos[at * half + i] = cosines[row + i]!
      sin[at * half + i] = sines[row + i]!
      cos[at * half + quarter + i] = cosines[column + i]!
      sin[at * half + quarter + i] = sines[column + i]!
    }
  }
  return { cos: { values: cos, shape: [patches, half] }, sin: { values: sin, shape: [patches, half] } }
}

interface Windows {
  /** [rows of the output]: which one comes here. */
  order: Int32Array
  /** Rows of the output before each window, and all of them at the end. */
  starts: number[]
}

/** Window by window, those at the right and lower edge smaller. */
function windowOrder(facts: TowerFacts, { frames, height, width }: Frames): Windows {
  const rows = height / facts.merge
  const columns = width / facts.merge
  const side = facts.window / facts.merge / facts.patch
  const order = new Int32Array(frames * rows * columns)
  const starts = [0]
  let at = 0
  for (let frame = 0; frame < frames; frame++)
    for (let top = 0; top < rows; top += side)
      for (let left = 0; left < columns; left += side) {
        for (let row = top; row < Math.min(top + side, rows); row++)
          for (let column = left; column < Math.min(left + side, columns); column++) order[at++] = (frame * rows + row) * columns + column
        starts.push(at)
      }
  return { order, starts }
}

function windowInputs(facts: TowerFacts, { order, starts }: Windows, patches: number): Record<string, HostTensor> {
  const unit = facts.merge ** 2
  const inWindow = (facts.window / facts.patch) ** 2
  const windows = starts.length - 1
  const inverse = new BigInt64Array(order.length)
  order.forEach((row, i) => {
    inverse[row] = BigInt(i)
  })
  const gather = new BigInt64Array(windows * inWindow)
  const scatter = new BigInt64Array(patches)
  const bias = new Float32Array(windows * inWindow).fill(hidden)
  for (let window = 0; window < windows; window++) {
    const start = starts[window]! * unit
    const size = starts[window + 1]! * unit - start
    for (let i = 0; i < size; i++) {
      const place = window * inWindow + i
      gather[place] = BigInt(start + i)
      scatter[start + i] = BigInt(place)
      bias[place] = 0
    }
  }
  return {
    window_order: { values: BigInt64Array.from(order, BigInt), shape: [order.length] },
    window_inverse: { values: inverse, shape: [order.length] },
    window_gather: { values: gather, shape: [gather.length] },
    window_scatter: { values: scatter, shape: [patches] },
    window_bias: { values: bias, shape: [windows, 1, 1, inWindow] },
  }
}

/** Four neighbours in the table of learned positions for each patch, corners on corners (bilinear, align_corners). */
function positionTaps(side: number, { frames, height, width }: Frames, { rows, columns }: Places): Record<string, HostTensor> {
  const inFrame = height * width
  const taps = new BigInt64Array(frames * inFrame * 4)
  const weights = new Float32Array(frames * inFrame * 4)
  const down = axisTaps(height, side)
  const across = axisTaps(width, side)
  for (let at = 0; at < inFrame; at++) {
    const row = rows[at]!
    const column = columns[at]!
    for (let i = 0; i < 4; i++) {
      const y = 2 * row + (i >> 1)
      const x = 2 * column + (i & 1)
      taps[at * 4 + i] = BigInt(down.taps[y]! * side + across.taps[x]!)
      weights[at * 4 + i] = down.weights[y]! * across.weights[x]!
    }
  }
  for (let frame = 1; frame < frames; frame++) {
    taps.copyWithin(frame * inFrame * 4, 0, inFrame * 4)
    weights.copyWithin(frame * inFrame * 4, 0, inFrame * 4)
  }
  return {
    position_taps: { values: taps, shape: [frames * inFrame, 4] },
    position_weights: { values: weights, shape: [frames * inFrame, 4] },
  }
}

/** Two taps for each of `size` places over `side` table entries, all in float32 as PyTorch has it. */
function axisTaps(size: number, side: number): { taps: Int32Array; weights: Float32Array } {
  const taps = new Int32Array(2 * size)
  const weights = new Float32Array(2 * size)
  for (let place = 0; place < size; place++) {
    const source = Math.fround((place * (side - 1)) / Math.max(size - 1, 1))
    const floor = Math.floor(source)
    const part = Math.fround(source - floor)
    taps[2 * place] = floor
    taps[2 * place + 1] = Math.min(floor + 1, side - 1)
    weights[2 * place] = Math.fround(1 - part)
    // |source - floor - 1| taken from 1 again, rounded at each step.
    weights[2 * place + 1] = Math.max(0, Math.fround(1 - Math.abs(Math.fround(part - 1))))
  }
  return { taps, weights }
}
