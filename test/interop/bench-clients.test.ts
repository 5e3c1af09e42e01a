// Load clients of other projects run against us unchanged: sglang.bench_serving and aiperf.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { aiperf, benchServing } from '../helpers/clients.ts'
import { need } from '../helpers/need.ts'
import { model } from '../helpers/openai.ts'
import { idle, type Started, start } from '../helpers/processes/start.ts'
import { run } from '../helpers/python.ts'

const tokenizer = join(import.meta.dir, '../..', model)
const folder = mkdtempSync(join(tmpdir(), 'bench-clients-'))
let server: Started
beforeAll(async () => {
  server = await start()
})
afterAll(async () => {
  await server?.stop()
  rmSync(folder, { recursive: true })
})

const serving = benchServing()
describe.if(need('sglang.bench_serving with datasets (bun test/interop/setup.ts)', serving !== undefined))('sglang.bench_serving', () => {
  test.each(['sglang-oai-chat', 'sglang-oai'])(
    '--backend %s --dataset-name random-ids',
    async (backend) => {
      const output = join(folder, `${backend}.jsonl`)
      const flags = `--backend ${backend} --base-url ${server.url} --dataset-name random-ids --model ${model} --tokenizer ${tokenizer} --num-prompts 20`
      const shape = `--random-input-len 32 --random-output-len 16 --random-range-ratio 1 --request-rate inf --output-file ${output}`
      const command = [serving!.python, '-m', 'sglang.bench_serving', ...flags.split(' '), ...shape.split(' ')]
      const { code, stderr } = await run(command, 240_000, serving!.env)
      if (code !== 0) throw new Error(stderr.slice(-3000))
      // Python writes the endless request rate as a bare word.
      const result = JSON.parse(
        readFileSync(output, 'utf8')
          .trim()
          .replace(/\bInfinity\b/g, 'null'),
      )
      expect(result).toMatchObject({ completed: 20, total_output_tokens: 320 })
      await idle(server)
    },
    300_000,
  )
})

const command = aiperf()
describe.if(need('aiperf (bun test/interop/setup.ts)', command !== undefined))('aiperf', () => {
  test('profile --endpoint-type chat --streaming', async () => {
    const flags = `--model ${model} --tokenizer ${tokenizer} --url ${server.url} --endpoint-type chat --streaming --request-count 20 --concurrency 4`
    const shape = `--isl 32 --osl 16 --extra-inputs ignore_eos:true --ui none --output-artifact-dir ${folder}/aiperf`
    // Its offline mode takes hub names only; a local folder needs no network either way.
    const online = { HF_HUB_OFFLINE: undefined, TRANSFORMERS_OFFLINE: undefined }
    const { code, stdout, stderr } = await run([command!, 'profile', ...flags.split(' '), ...shape.split(' ')], 240_000, online)
    if (code !== 0) throw new Error(`${stdout.slice(-2000)}\n${stderr.slice(-2000)}`)
    const [path] = [...new Bun.Glob('**/profile_export_aiperf.json').scanSync({ cwd: `${folder}/aiperf`, absolute: true })]
    const result = JSON.parse(readFileSync(path!, 'utf8'))
    expect(result.request_count.avg).toBe(20)
    expect(result.error_request_count?.avg ?? 0).toBe(0)
    await idle(server)
  }, 300_000)
})
