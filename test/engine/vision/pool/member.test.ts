// When work on an encoder has taken too long.
import { expect, test } from 'bun:test'
import { mockEncoder } from '../../../../src/engine/vision/mock/encoder.ts'
import { defaultPatience, Member } from '../../../../src/engine/vision/pool/member.ts'
import { options } from './world.ts'

const member = () =>
  new Member(
    'e',
    mockEncoder(options),
    { ...defaultPatience, graceMs: 0, slack: 1, msPerPatch: 1 },
    { pictures: 0, failures: 0, seconds: 0 },
  )

test('a queue of small pictures is due by what may be one piece of work', () => {
  const one = member()
  const attempts = Array.from({ length: 10 }, () => one.book(4096, 0))
  expect(one.dueAt(attempts[0]!)).toBe(16_384)
})

test('the largest pictures take time with their square, and who waits behind one waits as long', () => {
  const one = member()
  const large = one.book(65_536, 0)
  expect(one.dueAt(large)).toBe(65_536 * 4)
  expect(one.dueAt(one.book(4, 0))).toBeGreaterThanOrEqual(65_536 * 4)
})

test('one that lives and is not seen at work hangs, whatever its work; one that may work unseen gets the time of its work first', () => {
  const known = (hidden: boolean, seenAt: number) => {
    const encoder = Object.assign(mockEncoder(options), { work: { seenAt, hidden } })
    Object.defineProperty(encoder, 'heardAt', { value: 10_000 })
    const patience = { ...defaultPatience, graceMs: 500, silenceMs: 700, livingGraceMs: 20_000, slack: 1, msPerPatch: 1 }
    const one = new Member('e', encoder, patience, { pictures: 0, failures: 0, seconds: 0 })
    return one.dueAt(one.book(3000, 0))
  }
  expect(known(false, 0)).toBe(500)
  expect(known(false, 9000)).toBe(9500)
  expect(known(true, 0)).toBe(3500)
  expect(known(true, 9000)).toBe(9500)
  // Silence counts before it.
  expect(known(false, 10_400)).toBe(10_700)
})
