import { expect, test } from 'bun:test'
import { narrow } from '../../../../src/engine/vision/onnx/narrow.ts'

const bits = (value: number) => new Uint32Array(Float32Array.of(value).buffer)[0]!
const fromBits = (...all: number[]) => new Float32Array(Uint32Array.from(all).buffer)
const halves = (bytes: Uint8Array) => [...new Uint16Array(bytes.buffer)]

test('bfloat16 takes the nearest, and the even one of two that are as near', () => {
  const values = fromBits(0x3f800000, 0x3f808000, 0x3f818000, 0x3f807fff, 0x3f808001, bits(-2), bits(0), bits(-0))
  expect(halves(narrow(values, 'bfloat16'))).toEqual([0x3f80, 0x3f80, 0x3f82, 0x3f80, 0x3f81, 0xc000, 0, 0x8000])
})

test('bfloat16 keeps infinities and NaN, and what is too large becomes infinite', () => {
  const values = fromBits(0x7f800000, 0xff800000, 0x7fffffff, 0xffffffff, 0x7f800001, 0x7f7fffff)
  expect(halves(narrow(values, 'bfloat16'))).toEqual([0x7f80, 0xff80, 0x7fff, 0xffff, 0x7fc0, 0x7f80])
})

test('float32 is not copied, float16 is what the machine rounds to', () => {
  const values = Float32Array.of(1, 2.5, 1e-3)
  expect(narrow(values, 'float32').buffer).toBe(values.buffer)
  expect([...new Float16Array(narrow(values, 'float16').buffer)]).toEqual([1, 2.5, Math.f16round(1e-3)])
})
