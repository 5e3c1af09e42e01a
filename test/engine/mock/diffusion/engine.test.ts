import { expect, test } from 'bun:test'
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { latentPreview } from '../../../../kernels/latent-preview/kernel.ts'
import type { DiffusionEvent } from '../../../../src/engine/diffusion/diffusion.ts'
import { type MockDiffusionOptions, mockDiffusion } from '../../../../src/engine/mock/diffusion/engine.ts'
import { barLeft, layout, rampColours, readPicture } from '../../../../src/engine/mock/diffusion/picture.ts'
import { clipOf, pictureOf, runDiffusion } from '../../../helpers/run-diffusion.ts'
import { diffusionSuite } from '../../../suites/diffusion.suite.ts'

const flux = 'models/tiny-FLUX.1-dev'
const wan = 'models/tiny-Wan2.1-T2V-1.3B'

diffusionSuite('mock diffusion: images', () => mockDiffusion({ modelPath: flux, speedupRatio: 1e6 }), { makes: 'image' })
diffusionSuite('mock diffusion: clips', () => mockDiffusion({ modelPath: wan, speedupRatio: 1e6 }), { makes: 'video' })

async function started(options: Partial<MockDiffusionOptions> = {}) {
  const engine = mockDiffusion({ modelPath: flux, speedupRatio: 1e6, ...options })
  await engine.start()
  return engine
}

test('defaults are those of the pipeline, by the name of the folder where it has sizes', async () => {
  expect(mockDiffusion({ modelPath: flux }).info).toMatchObject({
    makes: 'image',
    pipeline: 'FluxPipeline',
    defaults: { width: 1024, height: 1024, steps: 50, guidance: 3.5, frames: 1 },
  })
  expect(mockDiffusion({ modelPath: wan }).info).toMatchObject({
    makes: 'video',
    frameMultiple: 4,
    defaults: { width: 832, height: 480, steps: 50, guidance: 3, frames: 81, fps: 16 },
  })
  const large = folder('Wan2.1-T2V-14B-Diffusers', { _class_name: 'WanPipeline' })
  expect(mockDiffusion({ modelPath: large }).info.defaults).toMatchObject({ width: 1280, height: 720, guidance: 5 })
})

test('seed, steps and prompt can be read from the picture; ramps are exact', async () => {
  const engine = await started()
  const ran = await runDiffusion(engine, pictureOf('a', { seed: 123456789, steps: 9, outputs: 2, width: 256 }))
  const [first, second] = ran.outputs.map(({ frames }) => readPicture(frames[0]!, 256, 128))
  expect(first).toMatchObject({ seed: 123456789, steps: 9 })
  expect(second).toMatchObject({ seed: 123456790, steps: 9, words: first!.words })
  const { ramp, rampRows } = layout(128)
  for (const [i, colour] of Object.values(rampColours).entries()) {
    const row = (ramp + i * rampRows + 1) * 256 * 3
    for (const x of [0, 77, 255]) {
      expect([...ran.outputs[0]!.frames[0]!.subarray(row + x * 3, row + x * 3 + 3)]).toEqual(colour.map((on) => on * x))
    }
  }
})

test('the bar of a clip moves from the left edge to the right one', async () => {
  const engine = await started({ modelPath: wan })
  const { frames, parts } = (await runDiffusion(engine, clipOf('bar'))).outputs[0]!
  expect(parts).toEqual([
    [0, 1],
    [1, 5],
    [5, 9],
  ])
  for (const [index, frame] of frames.entries()) {
    const left = barLeft(128, index, 9)
    expect([...frame.subarray(left * 3, left * 3 + 3)]).toEqual([255, 255, 255])
  }
  expect(barLeft(128, 8, 9)).toBe(120)
})

test('the last preview looks like the picture, the first one less so', async () => {
  const engine = await started()
  const ran = await runDiffusion(engine, pictureOf('preview', { steps: 8, previewEvery: 1 }))
  const differences = await Promise.all(
    ran.previews.map(async ({ latents }) => {
      const preview = await latentPreview(latents)
      // A flat place in the field: the middle of its first rows of blocks.
      const at = (2 * preview.width + 8) * 3
      const pixel = ran.outputs[0]!.frames[0]!.subarray((20 * 128 + 68) * 3)
      return [0, 1, 2].reduce((sum, c) => sum + Math.abs(preview.rgb[at + c]! - pixel[c]!), 0)
    }),
  )
  expect(differences[7]).toBeLessThan(12)
  expect(differences[0]).toBeGreaterThan(differences[7]!)
})

test('sizes are rounded down to what the model can make, and Frames say so', async () => {
  const ran = await runDiffusion(await started(), pictureOf('odd', { width: 130, height: 100 }))
  expect(ran.outputs[0]).toMatchObject({ width: 128, height: 96 })
})

test('a LoRA changes the picture, unmerge restores it, merge brings it back', async () => {
  const engine = await started()
  const bytes = async () => (await runDiffusion(engine, pictureOf('lora'))).outputs[0]!.frames[0]!
  const plain = await bytes()
  await engine.control('set_lora', { lora_nickname: 'ink', lora_path: 'someone/ink', strength: 0.5 })
  const inked = await bytes()
  expect(inked).not.toEqual(plain)
  expect(await engine.control('list_loras', {})).toMatchObject({
    loaded_adapters: [{ nickname: 'ink', path: 'someone/ink' }],
    active: { transformer: [{ nickname: 'ink', strength: 0.5, merged: true }] },
  })
  await engine.control('unmerge_lora_weights', {})
  expect(await bytes()).toEqual(plain)
  await engine.control('merge_lora_weights', {})
  expect(await bytes()).toEqual(inked)
})

test('images change the picture of a model that takes them', async () => {
  const engine = await started({ modelPath: folder('kontext', { _class_name: 'FluxKontextPipeline' }) })
  const made = async (image: number[]) =>
    (await runDiffusion(engine, pictureOf('edit', { images: [new Uint8Array(image)] }))).outputs[0]!.frames[0]!
  expect(await made([1])).not.toEqual(await made([2]))
  expect(await made([1])).toEqual(await made([1]))
})

test('crash-after: what runs fails, the engine comes back, and says both', async () => {
  const engine = await started({ failure: 'crash-after=6,restart=30' })
  const events: DiffusionEvent[] = []
  engine.on((event) => events.push(event))
  expect((await runDiffusion(engine, pictureOf('first'))).error).toBeUndefined()
  expect((await runDiffusion(engine, pictureOf('second'))).error).toMatchObject({ code: 'engine_failed' })
  expect((await runDiffusion(engine, pictureOf('third'))).error).toMatchObject({ code: 'engine_unavailable' })
  while (!engine.ready) await Bun.sleep(5)
  expect((await runDiffusion(engine, pictureOf('fourth'))).error).toBeUndefined()
  expect(events.map(({ ready }) => ready)).toEqual([false, true])
})

test('oom-every: one job has no memory, its neighbours do', async () => {
  const engine = await started({ failure: 'oom-every=2' })
  const codes = []
  for (const name of ['a', 'b', 'c', 'd']) codes.push((await runDiffusion(engine, pictureOf(name))).error?.code)
  expect(codes).toEqual([undefined, 'out_of_memory', undefined, 'out_of_memory'])
})

test('stall-after: a job hangs until it is cancelled', async () => {
  const engine = await started({ failure: 'stall-after=2' })
  const abort = new AbortController()
  const job = runDiffusion(engine, pictureOf('stalled'), { signal: abort.signal })
  await Bun.sleep(30)
  expect(engine.inFlight()).toBe(1)
  abort.abort()
  expect((await job).error).toMatchObject({ code: 'client_closed_request' })
  await engine.control('stall', { on: false })
  expect((await runDiffusion(engine, pictureOf('after it'))).error).toBeUndefined()
})

test('fail-start and slow-start', async () => {
  expect(await started({ failure: 'fail-start' }).catch((error) => error.code)).toBe('sglang_failed')
  const slow = mockDiffusion({ modelPath: flux, failure: 'slow-start=40' })
  const start = slow.start()
  expect(slow.ready).toBe(false)
  await start
  expect(slow.ready).toBe(true)
})

test('more jobs than replicas are the caller’s mistake', async () => {
  const engine = await started({ replicas: 2 })
  const jobs = await Promise.all(['a', 'b', 'c'].map((name) => runDiffusion(engine, pictureOf(name))))
  expect(jobs.map(({ error }) => error?.code)).toEqual([undefined, undefined, 'internal_error'])
})

test('a job takes its simulated time divided by the speed-up', async () => {
  // 4 steps of 150 ns a pixel are 9.8 ms at 128x128; a tenth of the speed is at least 98.
  const engine = await started({ speedupRatio: 0.1 })
  const { done } = await runDiffusion(engine, pictureOf('slow'))
  expect(done!.stages.denoiseMs).toBeGreaterThan(90)
}, 60_000)

test('a folder, a file or a pipeline that is not there is named', () => {
  const told = (options: Partial<MockDiffusionOptions>) => {
    try {
      mockDiffusion({ modelPath: flux, ...options })
    } catch (error) {
      return error as { code: string; message: string }
    }
  }
  expect(told({ modelPath: '/no/such/folder' })).toMatchObject({ code: 'model_path_not_found' })
  expect(told({ modelPath: '/no/such/folder' })!.message).toContain('/no/such/folder/model_index.json')
  expect(told({ modelPath: 'models/tiny-llm' })).toMatchObject({ code: 'model_files_invalid' })
  expect(told({ modelPath: 'models/tiny-llm' })!.message).toContain('models/tiny-llm/model_index.json is missing')
  expect(told({ modelPath: folder('x', { _class_name: 'NoPipeline' }) })!.message).toMatch(/NoPipeline.*it knows FluxPipeline/)
  expect(told({ modelPath: folder('x', {}) })!.message).toContain('_class_name')
  expect(told({ failure: 'explode' })).toMatchObject({ code: 'invalid_setting' })
  expect(told({ failure: 'explode' })!.message).toContain('crash-after=STEPS')
  expect(told({ makes: 'video' })!.message).toContain('--image-diffusion-worker')
})

/** A model folder of that name with only a model_index.json. */
function folder(name: string, index: object): string {
  const path = join(mkdtempSync(join(tmpdir(), 'mock-diffusion-')), name)
  mkdirSync(path)
  writeFileSync(join(path, 'model_index.json'), JSON.stringify(index))
  return path
}
