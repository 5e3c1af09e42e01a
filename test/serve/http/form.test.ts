// Multipart bodies: what a form becomes, in order, and what is no form. Limits of bodies are in limits.test.ts, messages in openai/images/bad-inputs.test.ts.
import { describe, expect, test } from 'bun:test'
import * as z from 'zod'
import { AppError } from '../../../src/lib/errors.ts'
import { formReader } from '../../../src/openai/media/form-body.ts'
import type { FormFields } from '../../../src/openai/media/form-fields.ts'
import { isForm, readForm } from '../../../src/serve/http/form.ts'
import { defaultLimits } from '../../../src/serve/http/limits.ts'

const formOf = (fields: [string, string | File][]): Promise<FormFields> => {
  const form = new FormData()
  for (const [name, value] of fields) form.append(name, value)
  return readForm(new Request('http://x', { method: 'POST', body: form }), defaultLimits)
}
const raw = (body: string | Uint8Array<ArrayBuffer>, type = 'multipart/form-data; boundary=b') =>
  readForm(new Request('http://x', { method: 'POST', body, headers: { 'content-type': type } }), defaultLimits)

test('texts and files, in order, bytes as they are', async () => {
  const bytes = Uint8Array.from({ length: 5000 }, (_, i) => (i * 31) & 255)
  const form = await formOf([
    ['prompt', 'é\r\n--x'],
    ['image[]', new File([bytes], '../a.png', { type: 'image/png' })],
    ['prompt', ''],
  ])
  expect(form.parts).toEqual([
    { name: 'prompt', text: 'é\r\n--x' },
    { name: 'image[]', file: { bytes, fileName: '../a.png', contentType: 'image/png' } },
    { name: 'prompt', text: '' },
  ])
})

test('a boundary in quotes, a type in capitals, text before and after', async () => {
  const body = 'before\r\n--b c\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--b c--\r\nafter'
  expect((await raw(body, 'Multipart/Form-Data; charset=utf-8; boundary="b c"')).parts).toEqual([{ name: 'a', text: '1' }])
  expect([isForm('multipart/form-data; boundary=b'), isForm('MULTIPART/FORM-DATA'), isForm('multipart/mixed'), isForm(null)]).toEqual([
    true,
    true,
    false,
    false,
  ])
})

test('random damage is a form, or an AppError, and soon', async () => {
  const whole = new TextEncoder().encode(
    '--b\r\nContent-Disposition: form-data; name="a"\r\n\r\nv\r\n--b\r\nContent-Disposition: form-data; name="i"; filename="x"\r\nContent-Type: image/png\r\n\r\nx\r\n--b--\r\n',
  )
  let seed = 1
  const random = (below: number) => {
    seed = (seed * 48271) % 2147483647
    return seed % below
  }
  const evil = [0, 10, 13, 34, 45, 58, 59, 98, 255]
  for (let i = 0; i < 2000; i++) {
    const damaged = whole.slice(0, random(3) === 0 ? random(whole.length) : whole.length)
    for (let k = 0; k < 4; k++) if (damaged.length > 0) damaged[random(damaged.length)] = evil[random(evil.length)]!
    const read = await raw(damaged).then(
      () => 'read',
      (error) => error instanceof AppError && error.status,
    )
    expect(read === 'read' || read === 400).toBe(true)
  }
})

describe('a form as the JSON that it stands for', () => {
  const shape = {
    prompt: z.string(),
    n: z.int().nullish(),
    ratio: z.number().nullish(),
    stream: z.boolean().nullish(),
    either: z.union([z.string(), z.number()]),
    tags: z.array(z.string()).nullish(),
    more: z.record(z.string(), z.unknown()).nullish(),
    nvext: z.strictObject({ seed: z.int().nullish(), note: z.string().nullish() }).nullish(),
    old: z.unknown(),
  }
  const read = formReader(shape)
  const body = async (...fields: [string, string][]): Promise<object> => ({ ...read(await formOf(fields)).body })

  test('by the kind of each field', async () => {
    expect(await body(['prompt', '1'], ['n', '2'], ['ratio', '-1.5e2'], ['stream', 'True'])).toEqual({
      ...{ prompt: '1', n: 2, ratio: -150, stream: true },
    })
    expect(await body(['either', '5'], ['tags', 'a'], ['more', '{"a":[1]}'], ['old', 'false'])).toEqual({
      ...{ either: 5, tags: ['a'], more: { a: [1] }, old: false },
    })
  })

  test('what is not of its kind stays a text', async () => {
    expect(await body(['n', 'two'], ['ratio', '0x10'], ['stream', 'maybe'], ['more', '{'])).toEqual({
      ...{ n: 'two', ratio: '0x10', stream: 'maybe', more: '{' },
    })
    expect(await body(['unknown', '5'])).toEqual({ unknown: '5' })
  })

  test('lists and members', async () => {
    expect(await body(['tags[]', 'a'], ['tags[1]', 'b'], ['prompt', 'x'], ['prompt', 'y'])).toEqual({
      tags: ['a', 'b'],
      prompt: ['x', 'y'],
    })
    expect(await body(['nvext[seed]', '5'], ['nvext[note]', '6'])).toMatchObject({ nvext: { seed: 5, note: '6' } })
    expect(await body(['nvext', '{"seed":5}'])).toEqual({ nvext: { seed: 5 } })
  })

  test('files by field, whatever brackets it has', async () => {
    const file = (name: string) => new File(['x'], name)
    const { body, files } = read(
      await formOf([
        ['image[]', file('a')],
        ['image', file('b')],
        ['image[7]', file('c')],
      ]),
    )
    expect({ ...body }).toEqual({})
    expect(files.get('image')!.map(({ fileName }) => fileName)).toEqual(['a', 'b', 'c'])
  })
})
