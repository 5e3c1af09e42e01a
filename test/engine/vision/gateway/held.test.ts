// Pictures by name, for as long as a request has them.
import { expect, test } from 'bun:test'
import { HeldPictures } from '../../../../src/engine/vision/gateway/held.ts'
import { madeUpPicture } from '../../../helpers/media-items.ts'

test('a picture is here while any request holds it, however often it is let go', () => {
  const held = new HeldPictures()
  const [a, b] = [madeUpPicture('a'), madeUpPicture('b')]
  const first = held.hold([a, b, a])
  const second = held.hold([madeUpPicture('a')])
  first()
  first()
  expect([held.find(a.hash), held.find(b.hash), held.size]).toEqual([a, undefined, 1])
  second()
  expect(held.size).toBe(0)
})
