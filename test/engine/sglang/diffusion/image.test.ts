// SGLang's diffusion engine on CPU, making pictures: the shared suite, its pixels against those of SGLang's own API, LoRA, and failures of single jobs.
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { normal } from '../../../../models/random.ts'
import { safetensors, type Tensor } from '../../../../models/safetensors.ts'
import type { DiffusionEngine } from '../../../../src/engine/diffusion/diffusion.ts'
import { need } from '../../../helpers/need.ts'
import { pictureOf, runDiffusion } from '../../../helpers/run-diffusion.ts'
import { quickStart } from '../../../helpers/sglang.ts'
import { cpuDiffusion, diffusionEnv, diffusionPython, sglangsOwn, sha256, tinyPipeline } from '../../../helpers/sglang-diffusion.ts'
import { diffusionSuite } from '../../../suites/diffusion.suite.ts'

const present = need('SGLang diffusion on CPU (bun run sglang:setup)', diffusionPython() !== undefined)
const folder = mkdtempSync(join(tmpdir(), 'diffusion-image-'))
const fault = join(folder, 'fault')
const shared = mkdtempSync('/dev/shm/diffusion-test-')
afterAll(() => {
  for (const path of [folder, shared]) rmSync(path, { recursive: true, force: true })
})

const env = { ...diffusionEnv(), PYTHONPATH: [join(import.meta.dir, 'fault'), quickStart].join(':'), FAULT_FILE: fault }
const make = () => cpuDiffusion('image', folder, { env, sharedDir: shared })
/** Names of files with frames, in all folders of engines. */
const left = () => readdirSync(shared, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
const one = async (engine: DiffusionEngine, more = {}) =>
  sha256((await runDiffusion(engine, pictureOf('a lighthouse', more))).outputs[0]!.frames)

if (present) {
  const asked = [
    pictureOf('a red cat', { seed: 11, outputs: 2 }),
    pictureOf('a wide one', { seed: 4_294_967_000, width: 192, height: 64, steps: 6, guidance: 7 }),
  ]

  let expected: string[][]
  // Before our engine starts: two at once are slow.
  beforeAll(async () => {
    expected = await sglangsOwn('image', asked)
  }, 300_000)

  diffusionSuite('SGLang diffusion: pictures', make, {
    makes: 'image',
    more(engine) {
      test('pixels are those of SGLang’s own API, bit by bit', async () => {
        const ours: string[][] = []
        for (const request of asked) ours.push((await runDiffusion(engine(), request)).outputs.map(({ frames }) => sha256(frames)))
        expect(ours).toEqual(expected)
      })

      test('cancelled at any step: the next picture is as ever, and no frame stays behind', async () => {
        const before = await one(engine())
        for (let round = 0; round < 20; round++) {
          const step = 1 + Math.floor(Math.random() * 8)
          const abort = new AbortController()
          const ran = await runDiffusion(engine(), pictureOf('given up', { steps: 200 }), {
            signal: abort.signal,
            onCall: (call) => call === `0:${step}/200` && abort.abort(),
          })
          expect(ran.error).toMatchObject({ code: 'client_closed_request' })
          expect(ran.calls.length).toBeLessThanOrEqual(step + 2)
        }
        expect(await one(engine())).toBe(before)
        expect(left()).toEqual([])
      }, 120_000)

      test('out of memory ends one job; so does any other failure, with SGLang’s words', async () => {
        const before = await one(engine())
        writeFileSync(fault, 'oom')
        expect((await runDiffusion(engine(), pictureOf('too large'))).error).toMatchObject({ code: 'out_of_memory', status: 500 })
        writeFileSync(fault, 'the moon is full')
        const failed = await runDiffusion(engine(), pictureOf('unlucky', { outputs: 2 }))
        expect(failed.error).toMatchObject({ code: 'engine_failed' })
        expect(failed.error!.message).toContain('RuntimeError: the moon is full')
        rmSync(fault)
        expect(await one(engine())).toBe(before)
        expect(left()).toEqual([])
      }, 60_000)

      test('what names files of the server is not for requests', async () => {
        for (const name of ['output_path', 'prompt_path', 'image_path', 'upscaling_model_path', 'perf_dump_path']) {
          const { error } = await runDiffusion(engine(), pictureOf('x', { extra: { [name]: '/etc' } }))
          expect(error).toMatchObject({ code: 'engine_rejected', message: `${name} cannot be set by a request` })
        }
      })

      test('a LoRA changes pictures until it is unmerged, and again when it is merged', async () => {
        const path = lora('fits', 'transformer.transformer_blocks.0.attn')
        const before = await one(engine())
        await engine().control('set_lora', { lora_nickname: 'style', lora_path: path })
        const styled = await one(engine())
        expect(styled).not.toBe(before)
        expect(await engine().control('list_loras', {})).toMatchObject({ loaded_adapters: [{ nickname: 'style', path }] })
        await engine().control('unmerge_lora_weights', {})
        expect(await one(engine())).toBe(before)
        await engine().control('merge_lora_weights', {})
        expect(await one(engine())).toBe(styled)
        await engine().control('unmerge_lora_weights', {})
      }, 60_000)

      test('a LoRA that fits no layer is refused, and nothing of it stays', async () => {
        const before = await one(engine())
        const refused = engine().control('set_lora', { lora_nickname: 'alien', lora_path: lora('alien', 'transformer.elsewhere.0.attn') })
        expect(await refused.catch((error) => error)).toMatchObject({
          code: 'engine_rejected',
          message: expect.stringContaining('fits no layer'),
        })
        expect(JSON.stringify(await engine().control('list_loras', {}))).not.toContain('alien')
        expect(await one(engine())).toBe(before)
        expect(
          await engine()
            .control('set_lora', { nickname: 'x' })
            .catch((error) => error.message),
        ).toContain('has no nickname')
      }, 60_000)
    },
  })
}

/** A LoRA of rank 4 for the query and key projections below `prefix`. */
function lora(name: string, prefix: string): string {
  const config = JSON.parse(readFileSync(join(tinyPipeline('image'), 'transformer/config.json'), 'utf8'))
  const width = config.num_attention_heads * config.attention_head_dim
  const tensors = ['to_q', 'to_k'].flatMap((layer, at): Tensor[] => [
    { name: `${prefix}.${layer}.lora_A.weight`, shape: [4, width], values: Float32Array.from({ length: 4 * width }, normal(1 + at, 1)) },
    { name: `${prefix}.${layer}.lora_B.weight`, shape: [width, 4], values: Float32Array.from({ length: 4 * width }, normal(11 + at, 1)) },
  ])
  const path = join(folder, `${name}.safetensors`)
  if (!existsSync(path)) writeFileSync(path, safetensors(tensors))
  return path
}
