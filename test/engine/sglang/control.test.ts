// Engine operations over HTTP on a real SGLang on CPU: what operators call, from POST /engine/{name} down to SGLang's own methods.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type SglangEngine, sglangEngine } from '../../../src/engine/sglang/engine.ts'
import type { EngineEvent } from '../../../src/engine/types.ts'
import { type TestApp, testApp } from '../../helpers/fakes/app.ts'
import { need } from '../../helpers/need.ts'
import { requestOf, runRequest } from '../../helpers/run-request.ts'
import { cpuArgs, cpuEnv, sglangPython, tinyModel } from '../../helpers/sglang.ts'

const python = sglangPython()
const model = tinyModel()
const prompt = Array.from({ length: 64 }, (_, i) => 20 + i)

describe.skipIf(!need('SGLang (bun run sglang:setup)', python !== undefined && model !== undefined))('operations on SGLang', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sglang-control-'))
  const states: boolean[] = []
  let engine: SglangEngine
  let app: TestApp
  const operate = async (name: string, body: object = {}) => {
    const answer = await app.post(`/engine/${name}`, body)
    expect(answer.body).toMatchObject({ status: 'ok', operation: name })
    return answer.body.results[0].result
  }

  beforeAll(async () => {
    engine = sglangEngine({ python: python!, args: cpuArgs(model!), env: cpuEnv(), cacheDir: folder })
    engine.on((event: EngineEvent) => event.kind === 'state' && states.push(event.ready))
    await engine.start()
    app = testApp({ workers: () => [{ id: 'w0', engine }], controlRoutes: true })
  }, 300_000)
  afterAll(async () => {
    await engine?.stop(0)
    rmSync(folder, { recursive: true, force: true })
  }, 60_000)

  test('flush_cache forgets prefixes', async () => {
    await runRequest(engine, requestOf(prompt))
    expect((await runRequest(engine, requestOf(prompt))).usage!.cachedTokens).toBeGreaterThan(32)
    expect(await operate('flush_cache')).toMatchObject({ success: true })
    expect((await runRequest(engine, requestOf(prompt))).usage!.cachedTokens).toBe(0)
    expect(await operate('clear_kv_blocks')).toMatchObject({ success: true })
  }, 60_000)

  test('a pause ends what runs, keeps new requests out and is told, until generation continues', async () => {
    states.length = 0
    const running = runRequest(engine, requestOf(prompt, { max_new_tokens: 1900, ignore_eos: true }))
    await Bun.sleep(100)
    await operate('pause_generation')
    expect((await running).finish).toMatchObject({ kind: 'abort' })
    expect((await runRequest(engine, requestOf(prompt))).error).toMatchObject({ code: 'engine_unavailable' })
    await operate('continue_generation')
    expect((await runRequest(engine, requestOf(prompt))).finish).toMatchObject({ kind: 'length' })
    expect(states).toEqual([false, true])
  }, 60_000)

  test('in_place holds a request and lets it go on', async () => {
    const calm = await runRequest(engine, requestOf(prompt, { max_new_tokens: 300, ignore_eos: true }))
    let seen = 0
    const held = runRequest(engine, requestOf(prompt, { max_new_tokens: 300, ignore_eos: true }), undefined, (ran) => {
      seen = ran.ids.length
    })
    while (seen === 0) await Bun.sleep(5)
    await operate('pause_generation', { mode: 'in_place' })
    await Bun.sleep(100)
    const before = seen
    await Bun.sleep(300)
    expect(seen).toBe(before)
    await operate('continue_generation')
    expect((await held).ids).toEqual(calm.ids)
  }, 60_000)

  test('weights from disk: the same ones give the same answer, a wrong folder is an error and harms nothing', async () => {
    const calm = await runRequest(engine, requestOf(prompt))
    expect(await operate('update_weights_from_disk', { model_path: model, weight_version: 'v2' })).toMatchObject([
      true,
      expect.any(String),
      0,
    ])
    expect((await runRequest(engine, requestOf(prompt))).ids).toEqual(calm.ids)
    const wrong = await app.post('/engine/update_weights_from_disk', { model_path: join(folder, 'nowhere') })
    expect([wrong.status >= 400, wrong.body.status]).toEqual([true, 'error'])
    expect((await runRequest(engine, requestOf(prompt))).ids).toEqual(calm.ids)
    await operate('update_weight_version', { new_version: 'v3' })
  }, 120_000)

  test('a profile is written', async () => {
    const output = join(folder, 'profile')
    await operate('start_profile', { output_dir: output, activities: ['CPU'] })
    await runRequest(engine, requestOf(prompt, { max_new_tokens: 4 }))
    await operate('stop_profile')
    expect(readdirSync(output).length).toBeGreaterThan(0)
  }, 120_000)

  test('what SGLang was not started for is refused with the flag, and the engine goes on', async () => {
    const calm = await runRequest(engine, requestOf(prompt))
    const released = await app.post('/engine/release_memory_occupation', {})
    expect([released.status, released.body.error.message]).toEqual([400, expect.stringContaining('--enable-memory-saver')])
    const record = await app.post('/engine/start_expert_distribution_record', {})
    expect(record.body.error.message).toContain('--expert-distribution-recorder-mode')
    expect(engine.ready).toBe(true)
    expect((await runRequest(engine, requestOf(prompt))).ids).toEqual(calm.ids)
  }, 120_000)

  test('an argument that SGLang does not know is told, and so is an operation that this release lacks', async () => {
    expect((await app.post('/engine/update_weight_version', {})).status).toBe(400)
    const odd = await app.post('/engine/pause_generation', { bogus: 1 })
    expect([odd.status, odd.body.error.message]).toEqual([400, 'PauseGenerationReqInput has no bogus'])
    expect(await operate('list_loras')).toEqual([])
    const none = await app.post('/engine/load_lora', { lora_name: 'l', lora_path: '/l' })
    expect([none.status, none.body.error.message]).toEqual([409, expect.stringContaining('LoRA is not enabled')])
  }, 60_000)
})
