// The http engine on a real SGLang server on CPU: the shared suite, over one server for all cases.
import { afterAll, beforeAll, describe } from 'bun:test'
import { httpEngine } from '../../../src/engine/sglang/http.ts'
import { need } from '../../helpers/need.ts'
import { sglangPython, tinyModel } from '../../helpers/sglang.ts'
import { type SglangServer, startSglangServer } from '../../helpers/sglang-server.ts'
import { engineSuite } from '../../suites/engine.suite.ts'

const python = sglangPython()
const model = tinyModel()

describe.skipIf(!need('SGLang (bun run sglang:setup)', python !== undefined && model !== undefined))('http', () => {
  let server: SglangServer
  beforeAll(async () => {
    server = await startSglangServer(python!, model!, ['--enable-metrics'])
  }, 300_000)
  afterAll(async () => {
    await server?.stop()
  }, 60_000)

  engineSuite('the shared suite', () => httpEngine({ url: server.url }))
})
