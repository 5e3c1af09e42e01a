// What `doctor` says about pictures that are encoded apart from the language model.
import { afterAll, expect, test } from 'bun:test'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { writeFamily } from '../../../models/vision/families.ts'
import { checkVision } from '../../../src/cli/doctor/vision.ts'
import { parseSettings } from '../../../src/cli/settings/parse-settings.ts'
import { need } from '../../helpers/need.ts'
import { tinyTower } from '../../helpers/vision-fixtures.ts'
import { run } from '../program.ts'

const empty = mkdtempSync(join(tmpdir(), 'doctor-vision-'))
afterAll(() => rmSync(empty, { recursive: true }))
const made = await tinyTower('tiny-vl')

const check = (line: string, gpu?: { name: string; software: boolean }) => checkVision(parseSettings(line.split(' '), {}, 'worker'), gpu)
const h200 = { name: 'nvidia h200', software: false }

test('nothing where no pictures are encoded apart', async () => expect(await check(`--model-path ${empty}`)).toEqual([]))

test.skipIf(!need('an exported tower (a Python with onnx)', made !== undefined))(
  'our own encoder: its tower, runtime and device',
  async () => {
    const [tower, runtime] = await check(`--model-path ${made!.modelPath} --multimodal-encode-worker`)
    expect(tower).toEqual({
      level: 'ok',
      what: `pictures: our own encoder, tower ${made!.tower} (qwen2_5_vl, 3 blocks of 64, rows of 64, bfloat16)`,
    })
    expect(runtime).toMatchObject({ level: 'ok', what: expect.stringMatching(/ONNX Runtime \d+\.\d+\.\d+ on the CPU: right, but slow/) })
    const [, gpu] = await check(`--model-path ${made!.modelPath} --multimodal-encode-worker`, h200)
    expect(gpu!.what).toContain('by WebGPU on nvidia h200')
    const [, none] = await check(`--model-path ${made!.modelPath} --multimodal-encode-worker --vision-device webgpu`)
    expect(none!.level).toBe('warn')
  },
)

test('a tower that is missing or is none', async () => {
  const missing = await check(`--model-path ${empty} --multimodal-encode-worker --vision-encoder onnx`)
  expect(missing[0]).toMatchObject({ level: 'fail', advice: expect.stringContaining('export-vision') })
  writeFileSync(join(empty, 'bad.onnx'), 'nothing')
  const bad = await check(`--model-path ${empty} --multimodal-worker --vision-tower ${join(empty, 'bad.onnx')}`)
  expect(bad[0]!.level).toBe('fail')
})

test('SGLang’s encoder: started here, or running elsewhere', async () => {
  expect((await check(`--model-path ${empty} --multimodal-encode-worker`))[0]!.what).toContain("SGLang's encoder server")
  const server = Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: () => new Response(null) })
  const line = (url: string) => `--model-path ${empty} --multimodal-encode-worker --vision-encoder-url ${url}`
  expect((await check(line(`http://127.0.0.1:${server.port}`)))[0]).toMatchObject({ level: 'ok', what: expect.stringContaining('answers') })
  await server.stop(true)
  expect((await check(line(`http://127.0.0.1:${server.port}`)))[0]).toMatchObject({ level: 'warn' })
})

test('what a start would refuse of the model', async () => {
  const llava = writeFamily('llava')
  for (const line of ['--multimodal-worker', '--multimodal-encode-worker --vision-encoder sglang'])
    expect(await check(`--model-path ${llava} ${line}`)).toEqual([
      { level: 'fail', what: expect.stringContaining('does not take llava models'), advice: expect.any(String) },
    ])
  expect(await check(`--model-path ${llava} --enable-multimodal`)).toMatchObject([{ level: 'ok', what: expect.stringContaining('llava') }])
  const text = join(import.meta.dir, '../../../models/tiny-llm')
  expect(await check(`--model-path ${text} --enable-multimodal`)).toMatchObject([
    { level: 'fail', what: expect.stringContaining('is a text model') },
  ])
})

test.skipIf(!need('an exported tower (a Python with onnx)', made !== undefined))(
  'one engine that sees by itself: its own tower, also where one of ours lies beside',
  async () =>
    expect(await check(`--model-path ${made!.modelPath} --enable-multimodal`)).toMatchObject([
      { level: 'ok', what: expect.stringContaining("the engine's own tower") },
    ]),
)

test('the command takes the flags of an encode worker', async () => {
  const { out } = await run(['doctor', '--engine', 'mock', '--multimodal-encode-worker'])
  expect(out).toContain('the mock encoder')
}, 60_000)
