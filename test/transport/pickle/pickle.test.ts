// Pickles: what is written is what Python reads, what is read is data and nothing else.
import { expect, test } from 'bun:test'
import { readPickle } from '../../../src/transport/pickle/read.ts'
import { type PickleValue, writePickle } from '../../../src/transport/pickle/write.ts'
import { need } from '../../helpers/need.ts'

const none: ReadonlySet<string> = new Set()
const thing = { module: 'some.module', name: 'Thing' }
const bytes = (hex: string) => Uint8Array.from(Buffer.from(hex.replaceAll(' ', ''), 'hex'))

test('what is written is read again', () => {
  const values: PickleValue[] = [null, true, false, 0, -1, 2 ** 31 - 1, -(2 ** 31), 1.5, -0.25, '', 'ä 🐈\n', [], [1, [2, ['x']]]]
  for (const value of values) expect(readPickle(writePickle(value), none).value).toEqual(value as never)
  expect(() => writePickle(2 ** 31)).toThrow('does not fit 32 bits')
})

test('classes and calls are records, and only those on the list', () => {
  const pickle = writePickle([thing, { call: thing, args: [1, 'two'] }, { object: thing, state: { a: 1, b: [2] } }])
  const state = new Map<string, unknown>([
    ['a', 1],
    ['b', [2]],
  ])
  expect(readPickle(pickle, new Set(['some.module.Thing'])).value).toEqual([
    { kind: 'global', name: 'some.module.Thing' },
    { kind: 'call', callee: 'some.module.Thing', args: [1, 'two'] },
    { kind: 'call', callee: 'some.module.Thing', args: [], state },
  ] as never)
  expect(() => readPickle(pickle, none)).toThrow('some.module.Thing, which is not on the list')
  // os.system('true'), as protocol 0, 2 and 4 say it.
  for (const attack of [
    'cos\nsystem\n(S"true"\ntR.',
    '\x80\x02cos\nsystem\nX\x04\0\0\0true\x85R.',
    '\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85R.',
  ])
    expect(() =>
      readPickle(
        Uint8Array.from(attack, (letter) => letter.charCodeAt(0)),
        none,
      ),
    ).toThrow('os.system')
})

test('Python’s own pickles of all protocols that are binary', () => {
  if (!need('python3', Bun.which('python3') !== null)) return
  const script = `
import pickle, sys
values = [None, True, 7, 300, 70000, -5, 2**40, -2**70, 1.25, "text", "x" * 300, b"bytes", b"y" * 300, (), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), [], [1, 2], {}, {"k": [1, (2,)]}]
same = ["again"]
values.append([same, same])
sys.stdout.write("\\n".join(pickle.dumps(values, p).hex() for p in (2, 3, 4, 5)))`
  const { stdout } = Bun.spawnSync(['python3', '-c', script])
  const text = 'x'.repeat(300)
  for (const [i, line] of stdout.toString().split('\n').entries()) {
    const pickle = bytes(line)
    // Protocol 2 has no bytes of its own: it writes them as a call.
    if (i === 0) {
      expect(() => readPickle(pickle, none)).toThrow('_codecs.encode')
      continue
    }
    const { value, end } = readPickle(pickle, none)
    expect(end).toBe(pickle.length)
    const again = ['again']
    const numbers = [null, true, 7, 300, 70000, -5, 2 ** 40, -(2n ** 70n), 1.25, 'text', text]
    const rest = [[], [1], [1, 2], [1, 2, 3], [1, 2, 3, 4], [], [1, 2], new Map(), new Map([['k', [1, [2]]]]), [again, again]]
    const list = value as unknown[]
    expect(list.slice(0, 11)).toEqual(numbers)
    expect(list.slice(11, 13).map((part) => (part as Uint8Array).length)).toEqual([5, 300])
    expect(list.slice(13)).toEqual(rest)
  }
})

test('cut, torn and made-up bytes end in PickleError, never in a hang or another error', () => {
  const whole = writePickle({ object: thing, state: { a: 1, b: [2, 'three'], c: { call: thing, args: [4, 5.5] } } })
  const list = new Set(['some.module.Thing'])
  for (let end = 0; end < whole.length; end++) expect(() => readPickle(whole.subarray(0, end), list)).toThrow()
  let seed = 1
  const random = (below: number) => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fffffff
    return seed % below
  }
  for (let i = 0; i < 5000; i++) {
    const torn = whole.slice()
    for (let k = 0; k <= random(4); k++) torn[random(torn.length)] = random(256)
    try {
      readPickle(torn, list)
    } catch (thrown) {
      expect((thrown as Error).name).toBe('PickleError')
    }
  }
  for (const bad of [
    '80 04 8b ff ff ff ff',
    '80 04 42 ff ff ff 7f',
    '80 04 8d ff ff ff ff ff ff ff ff',
    '80 03 68 05 2e',
    '80 03 52 2e',
    '80 03 29 81 2e',
    '80 03 65 2e',
  ])
    expect(() => readPickle(bytes(bad), none)).toThrow()
})
