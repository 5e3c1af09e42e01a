// An encoder server that we start and keep alive, played by a process of ours: what is told here does not need SGLang.
import { afterAll, expect, test } from 'bun:test'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { visionPool } from '../../../../src/engine/vision/pool/pool.ts'
import { sglangEncoder } from '../../../../src/engine/vision/sglang/encoder.ts'
import { noisePicture, tinyVl } from '../../../helpers/vision.ts'

const never = new AbortController().signal
const folder = mkdtempSync(join(tmpdir(), 'encoder-server-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const python = join(folder, 'python')
writeFileSync(
  python,
  `#!/bin/sh\nexec '${process.execPath}' '${join(import.meta.dir, '../../../helpers/processes/encoder-server.ts')}' "$@"\n`,
)
chmodSync(python, 0o755)
const server = { python, args: ['--model-path', tinyVl], env: { PATH: process.env.PATH ?? '' } }
const first = await noisePicture(1, 112, 84)

test('killed, it fails what runs with engine_unavailable and is back by itself', async () => {
  const notices: string[] = []
  const encoder = sglangEncoder({ modelPath: tinyVl, server, onNotice: (text) => notices.push(text) })
  const states: boolean[] = []
  encoder.on(({ ready }) => states.push(ready))
  const starts = await Promise.all([encoder.start(), encoder.start()])
  expect(starts[0]).toBe(starts[1])
  expect(encoder.info).toMatchObject({ dim: 64, type: 'float32', patchesPerRow: 4 })
  const { itemHash } = await encoder.encode(first, never)
  const running = [1, 2, 3].map(() => encoder.encode(first, never))
  await Bun.sleep(10)
  process.kill(encoder.pid!, 'SIGKILL')
  for (const end of await Promise.allSettled(running))
    expect(end).toMatchObject({ status: 'rejected', reason: { code: 'engine_unavailable' } })
  while (!states.includes(false)) await Bun.sleep(10)
  while (!encoder.ready) await Bun.sleep(10)
  expect((await encoder.encode(first, never)).itemHash).toBe(itemHash)
  expect(states).toEqual([true, false, true])
  expect(notices).toEqual([expect.stringContaining('was ended by SIGKILL')])
  await encoder.stop()
}, 30_000)

test('a start that fails says why; a stop during the start leaves nothing', async () => {
  const wrong = sglangEncoder({ modelPath: tinyVl, server: { ...server, args: [...server.args, '--no-such-thing'] } })
  await expect(wrong.start()).rejects.toMatchObject({ code: 'sglang_failed', message: expect.stringContaining('--no-such-thing') })
  const absent = sglangEncoder({ modelPath: tinyVl, server: { ...server, python: join(folder, 'nothing') } })
  await expect(absent.start()).rejects.toMatchObject({ code: 'python_not_found' })
  const leaving = sglangEncoder({ modelPath: tinyVl, server })
  const starting = leaving.start()
  await leaving.stop()
  const [end] = await Promise.allSettled([starting])
  expect(end).toMatchObject({ status: 'rejected' })
  expect(leaving.ready).toBe(false)
}, 30_000)

test('stopped, it is not asked any more until it goes on, whatever its work may take', async () => {
  const encoder = sglangEncoder({ modelPath: tinyVl, server })
  const pool = visionPool({ patience: { graceMs: 60_000, livingGraceMs: 60_000 }, giveUpMs: 200 })
  pool.add('e', encoder)
  await pool.start()
  const silent = { code: 'engine_unavailable', message: expect.stringContaining('e shows no sign of life') }
  process.kill(-encoder.pid!, 'SIGSTOP')
  await expect(pool.encode(first, never)).rejects.toMatchObject(silent)
  await expect(pool.encode(first, never)).rejects.toMatchObject(silent)
  expect(pool.figures()).toMatchObject([{ failures: 1, aside: true, patches: 0 }])
  process.kill(-encoder.pid!, 'SIGCONT')
  while (pool.figures().some(({ aside }) => aside)) await Bun.sleep(20)
  expect((await pool.encode(first, never)).rows).toBe(first.tokens)
  await pool.stop()
}, 30_000)

test('encoders that differ by their GPU alone stand in for each other', async () => {
  const domainWith = async (...more: string[]) => {
    const encoder = sglangEncoder({ modelPath: tinyVl, server: { ...server, args: [...server.args, ...more] } })
    const { domain } = await encoder.start()
    await encoder.stop()
    return domain
  }
  const one = await domainWith()
  expect(await domainWith('--base-gpu-id', '3')).toBe(one)
  expect(await domainWith('--base-gpu-id=3')).toBe(one)
  expect(await domainWith('--mm-attention-backend', 'sdpa')).not.toBe(one)
}, 30_000)
