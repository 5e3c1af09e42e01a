import { expect, test } from 'bun:test'
import { nextBatch, type Waiting } from '../../../../src/engine/vision/onnx/queue.ts'

const picture = (t: number, h: number, w: number): Waiting => ({ grid: [t, h, w], patches: t * h * w })
const rules = { batchPatches: 100, stack: true }

test.each<[string, Waiting[], Partial<typeof rules>, number[]]>([
  ['nothing waits', [], {}, []],
  ['one', [picture(1, 4, 4)], {}, [0]],
  ['those of the same grid go with the first', [picture(1, 4, 4), picture(1, 4, 6), picture(1, 4, 4)], {}, [0, 2]],
  ['a clip and a picture of one size do not go together', [picture(2, 4, 4), picture(1, 4, 4), picture(2, 4, 4)], {}, [0, 2]],
  ['as many as fit', [picture(1, 6, 6), picture(1, 6, 6), picture(1, 6, 6)], {}, [0, 1]],
  ['one that is larger than a batch goes alone', [picture(1, 20, 20), picture(1, 20, 20)], {}, [0]],
  ['the longest waiting first, even where others would fill the batch', [picture(1, 9, 9), picture(1, 2, 2), picture(1, 2, 2)], {}, [0]],
  ['where company would change the bits: one', [picture(1, 4, 4), picture(1, 4, 4)], { stack: false }, [0]],
])('%s', (_, waiting, more, batch) => expect(nextBatch(waiting, { ...rules, ...more })).toEqual(batch))
