import { expect, test } from 'bun:test'
import { padPictures, padValues } from '../../src/lib/media-pads.ts'
import cases from '../fixtures/vision/kv-image-cases.json'

const low32 = (value: string) => Number(BigInt.asUintN(32, BigInt(value)))

test('wide pad values are those that SGLang 0.5.23 published', () => {
  const told = cases.filter((one) => one.pads)
  expect(told.length).toBeGreaterThan(5)
  for (const { images, pads } of told) expect([...padValues(BigInt(`0x${images[0]!.hash}`), 'wide')]).toEqual(pads!.map(low32))
})

test('a single pad value keeps 30 bits of the hash, behind the shift', () => {
  expect([...padValues(0xffff_ffff_ffff_ffffn, 'single')]).toEqual([1_000_000 + 2 ** 30 - 1])
  expect([...padValues(5n, 'single')]).toEqual([1_000_005])
})

test('each run starts the turn of the values again; other ids stay', () => {
  const ids = Uint32Array.of(1, 9, 9, 9, 9, 9, 2, 9, 3)
  const hash = 'ff1bed632a65242e'.padEnd(64, '0')
  const [a, b, c, d] = padValues(BigInt('0xff1bed632a65242e'), 'wide')
  expect([...padPictures(ids, [{ offset: 1, tokens: 7, placeholder: 9, hash }], 'wide')]).toEqual([1, a!, b!, c!, d!, a!, 2, a!, 3])
  expect(ids[1]).toBe(9)
})
