import { expect, test } from 'bun:test'
import { cpSync, mkdtempSync, readdirSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { obtainModel, shareModel } from '../../../src/serve/worker/model-share.ts'

const model = join(import.meta.dir, '../../../models/tiny-llm')
const fresh = () => mkdtempSync(join(tmpdir(), 'model-share-'))

test('a frontend that has the same files uses them where they lie', async () => {
  const share = await shareModel(model, model, undefined)
  const calls: unknown[] = []
  const folder = await obtainModel({ path: model, files: share.files }, fresh(), async (args) => calls.push(args))
  expect(folder).toBe(model)
  expect(calls).toEqual([])
})

test('a frontend without them copies them once, whole and checked', async () => {
  const source = fresh()
  cpSync(model, source, { recursive: true })
  writeFileSync(join(source, 'merges.txt'), 'x'.repeat(3_000_000))
  const share = await shareModel(source, source, join(model, 'tokenizer_config.json'))
  const cache = fresh()
  let calls = 0
  const read = (args: Record<string, unknown>) => {
    calls++
    return share.read(args)
  }
  const card = { path: '/no/such/folder', files: share.files }
  const folder = await obtainModel(card, cache, read)
  expect(readdirSync(folder).sort()).toEqual(Object.keys(share.files).sort())
  expect(await Bun.file(join(folder, 'merges.txt')).text()).toBe('x'.repeat(3_000_000))
  expect(share.customTemplate).toBe('custom-chat-template.jinja')
  const before = calls
  expect(await obtainModel(card, cache, read)).toBe(folder)
  expect(calls).toBe(before)
})

test('files that are not what the card says are refused, and so are names that leave the folder', async () => {
  const share = await shareModel(model, model, undefined)
  const lying = async () => ({ bytes: new Uint8Array(10), end: true })
  const cache = fresh()
  await expect(obtainModel({ path: '/none', files: share.files }, cache, lying)).rejects.toMatchObject({ code: 'model_files_invalid' })
  expect([...new Bun.Glob('**/*').scanSync({ cwd: cache })]).toEqual([])
  const endless = async () => ({ bytes: new Uint8Array(1 << 20), end: false })
  await expect(obtainModel({ path: '/none', files: share.files }, fresh(), endless)).rejects.toMatchObject({ code: 'model_files_invalid' })
  const silent = async () => ({ bytes: new Uint8Array(), end: false })
  await expect(obtainModel({ path: '/none', files: share.files }, fresh(), silent)).rejects.toMatchObject({ code: 'model_files_invalid' })
  const files = { '../evil': { bytes: 1, sha256: '00' } }
  await expect(obtainModel({ path: '/none', files }, fresh(), lying)).rejects.toMatchObject({ code: 'model_files_invalid' })
  await expect(share.read({ name: 'model.safetensors', offset: 0 })).rejects.toMatchObject({ code: 'invalid_value' })
})
