// An abort over HTTP at the pace of a real model: SGLang's own server with the shape of Qwen3-0.6B and random weights, where a token takes a hundred milliseconds on a CPU.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { httpEngine } from '../../../../src/engine/sglang/http/engine.ts'
import { writeShape } from '../../../gpu/shapes.ts'
import { need } from '../../../helpers/need.ts'
import { type SglangServer, startSglangServer } from '../../../helpers/processes/sglang-server.ts'
import { requestOf, runRequest, until } from '../../../helpers/run-request.ts'
import { sglangPython, tinyModel } from '../../../helpers/sglang.ts'

const python = sglangPython()
const tokenizer = tinyModel()

describe.skipIf(!need('SGLang (bun run sglang:setup)', python !== undefined && tokenizer !== undefined))('an abort over HTTP', () => {
  const model = mkdtempSync(join(tmpdir(), 'shape-'))
  let server: SglangServer
  let engine: ReturnType<typeof httpEngine>

  beforeAll(async () => {
    writeShape(model, 'q06', tokenizer!)
    server = await startSglangServer(python!, model, ['--load-format', 'dummy', '--dtype', 'float32'])
    engine = httpEngine({ url: server.url })
    await engine.start()
  }, 400_000)
  afterAll(async () => {
    await engine?.stop(0)
    await server?.stop()
    rmSync(model, { recursive: true, force: true })
  }, 60_000)

  test('at most two more tokens come, each time', async () => {
    const after: number[] = []
    for (let i = 0; i < 10; i++) {
      const abort = new AbortController()
      let seen = 0
      const request = requestOf([20 + i, 30, 40], { max_new_tokens: 900, ignore_eos: true })
      const ran = await runRequest(engine, request, abort.signal, ({ ids }) => {
        if (ids.length < 3 || seen > 0) return
        seen = ids.length
        abort.abort()
      })
      expect(ran.finish).toMatchObject({ kind: 'abort' })
      after.push(ran.ids.length - seen)
      await until('its place is free', () => engine.inFlight() === 0)
    }
    console.log(`tokens after an abort: ${after.join(' ')}`)
    expect(Math.max(...after)).toBeLessThanOrEqual(2)
  }, 300_000)
})
