// The promises of engine/diffusion/diffusion.ts, held by every engine that makes pictures or clips. A new engine gets its tests by one call.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import type { DiffusionEngine, DiffusionEvent, DiffusionRequest } from '../../src/engine/diffusion/diffusion.ts'
import { clipOf, pictureOf, runDiffusion } from '../helpers/run-diffusion.ts'

const startMs = 300_000
const caseMs = 120_000

/** Runs the shared cases on one engine of `make`; `more` adds cases on the same running engine, before it is stopped. */
export function diffusionSuite(
  name: string,
  make: () => DiffusionEngine,
  extra: { makes: 'image' | 'video'; more?: (engine: () => DiffusionEngine) => void },
): void {
  const clips = extra.makes === 'video'
  const requestOf = (prompt: string, more: Partial<DiffusionRequest> = {}) => (clips ? clipOf(prompt, more) : pictureOf(prompt, more))

  describe(name, () => {
    let engine: DiffusionEngine
    const states: DiffusionEvent[] = []
    const it = (title: string, body: () => Promise<void>) => test(title, body, caseMs)

    beforeAll(async () => {
      engine = make()
      engine.on((event) => states.push(event))
      await engine.start()
    }, startMs)
    afterAll(async () => {
      await engine?.stop(0)
    }, startMs)

    it('start gives the facts and says that it is ready', async () => {
      expect(engine.ready).toBe(true)
      expect(states.at(-1)).toMatchObject({ kind: 'state', ready: true })
      const { info } = engine
      expect(info.makes).toBe(extra.makes)
      expect(info.pipeline).toEndWith('Pipeline')
      expect(info.version).not.toBe('')
      expect(info.replicas).toBeGreaterThan(0)
      expect(info.sizeMultiple).toBeGreaterThan(0)
      expect(info.defaults.width % info.sizeMultiple).toBe(0)
      expect(info.defaults.steps).toBeGreaterThan(0)
      if (clips) expect((info.defaults.frames - 1) % info.frameMultiple).toBe(0)
      else expect(info.defaults.frames).toBe(1)
    })

    it('an engine that was not started refuses with engine_unavailable', async () => {
      const { error } = await runDiffusion(make(), requestOf('nobody'))
      expect(error).toMatchObject({ code: 'engine_unavailable' })
    })

    it('all frames of the size asked for come, in order and once', async () => {
      const request = requestOf('a red cat')
      const ran = await runDiffusion(engine, request)
      expect(ran.error).toBeUndefined()
      expect(ran.faults).toEqual([])
      expect(ran.outputs).toHaveLength(1)
      expect(ran.outputs[0]).toMatchObject({ width: request.width, height: request.height, count: request.frames })
      expect(ran.outputs[0]!.frames).toHaveLength(request.frames)
      for (const frame of ran.outputs[0]!.frames) expect(new Set(frame).size).toBeGreaterThan(8)
      expect(engine.inFlight()).toBe(0)
    })

    it('the same request and seed give the same bytes, another seed or prompt gives others', async () => {
      const [first, again, seed, prompt] = [
        await runDiffusion(engine, requestOf('a red cat')),
        await runDiffusion(engine, requestOf('a red cat')),
        await runDiffusion(engine, requestOf('a red cat', { seed: 8 })),
        await runDiffusion(engine, requestOf('something else entirely')),
      ]
      expect(digest(again)).toEqual(digest(first))
      expect(digest(seed)).not.toEqual(digest(first))
      expect(digest(prompt)).not.toEqual(digest(first))
    })

    it('each output has the seed after the one before', async () => {
      const both = await runDiffusion(engine, requestOf('two of them', { outputs: 2, seed: 40 }))
      expect(both.faults).toEqual([])
      expect(both.outputs).toHaveLength(2)
      const second = await runDiffusion(engine, requestOf('two of them', { seed: 41 }))
      expect(digest(both)[1]).toBe(digest(second)[0]!)
      expect(digest(both)[0]).not.toBe(digest(second)[0]!)
    })

    it('every step is told once, in order, and before the frames', async () => {
      const ran = await runDiffusion(engine, requestOf('steps', { steps: 6 }))
      const steps = ran.calls.filter((call) => call.includes('/'))
      expect(steps).toEqual([1, 2, 3, 4, 5, 6].map((step) => `0:${step}/6`))
      expect(ran.calls.findIndex((call) => call.includes('frames'))).toBe(steps.length)
    })

    it('previews come after the steps asked for, as latents of an eighth of the size', async () => {
      const request = requestOf('previews', { steps: 6, previewEvery: 2 })
      const ran = await runDiffusion(engine, request)
      expect(ran.faults).toEqual([])
      expect(ran.previews.map(({ step }) => step).filter((step) => step < 6)).toEqual([2, 4])
      for (const { latents } of ran.previews) {
        expect(latents).toMatchObject({
          family: clips ? 'wan21' : 'flux',
          channels: 16,
          width: request.width / 8,
          height: request.height / 8,
        })
        expect(latents.data.length).toBe((16 * request.width * request.height) / 64)
        expect(latents.data.every(Number.isFinite)).toBe(true)
      }
      expect(ran.previews[1]!.latents.data).not.toEqual(ran.previews[0]!.latents.data)
      expect((await runDiffusion(engine, requestOf('previews', { steps: 6 }))).previews).toEqual([])
    })

    it('previews do not change the picture', async () => {
      const plain = await runDiffusion(engine, requestOf('previews'))
      expect(digest(await runDiffusion(engine, requestOf('previews', { previewEvery: 1 })))).toEqual(digest(plain))
    })

    it('what is cancelled before it began never begins', async () => {
      const ran = await runDiffusion(engine, requestOf('never'), { signal: AbortSignal.abort() })
      expect(ran.error).toMatchObject({ code: 'client_closed_request' })
      expect(ran.calls).toEqual([])
    })

    it('a cancel ends the work before the next step, and the next job is as ever', async () => {
      const before = await runDiffusion(engine, requestOf('as ever'))
      for (const step of [1, 3]) {
        const abort = new AbortController()
        const ran = await runDiffusion(engine, requestOf('as ever', { steps: 60, outputs: 2 }), {
          signal: abort.signal,
          onCall: (call) => call === `0:${step}/60` && abort.abort(),
        })
        expect(ran.error).toMatchObject({ code: 'client_closed_request' })
        expect(ran.faults).toEqual([])
        expect(ran.outputs).toEqual([])
        // The step that ran when the cancel came may be told.
        expect(ran.calls.length).toBeLessThanOrEqual(step + 2)
        expect(engine.inFlight()).toBe(0)
        expect(digest(await runDiffusion(engine, requestOf('as ever')))).toEqual(digest(before))
      }
    })

    it('a cancel after the end changes nothing', async () => {
      const abort = new AbortController()
      const ran = await runDiffusion(engine, requestOf('done'), { signal: abort.signal })
      abort.abort()
      expect(ran.error).toBeUndefined()
      expect((await runDiffusion(engine, requestOf('done'))).error).toBeUndefined()
    })

    it('parameters that the engine refuses are engine_rejected with its words, and the next job is fine', async () => {
      const bad: [Partial<DiffusionRequest>, RegExp][] = [
        [{ steps: 0 }, /steps/],
        [{ width: 0 }, /width/],
        [{ extra: { no_such_parameter: 1 } }, /no_such_parameter/],
      ]
      for (const [change, words] of bad) {
        const ran = await runDiffusion(engine, requestOf('refused', change))
        expect(ran.error).toMatchObject({ code: 'engine_rejected' })
        expect(ran.error!.message).toMatch(words)
        expect(ran.outputs).toEqual([])
      }
      expect((await runDiffusion(engine, requestOf('after it'))).error).toBeUndefined()
    })

    it('images are refused where the model takes none', async () => {
      if (engine.info.takesImages) return
      const ran = await runDiffusion(engine, requestOf('from an image', { images: [new Uint8Array([1, 2, 3])] }))
      expect(ran.error).toMatchObject({ code: 'engine_rejected' })
    })

    it('no LoRA is listed at first; one that is not there and unknown operations are errors', async () => {
      expect(await engine.control('list_loras', {})).toMatchObject({ loaded_adapters: [] })
      const missing = engine.control('set_lora', { lora_nickname: 'x', lora_path: '/nowhere/at/all' })
      expect(await missing.catch((error) => error.code)).toBe('engine_rejected')
      expect(await engine.control('no_such_operation', {}).catch((error) => error.code)).toBe('route_not_found')
      expect((await runDiffusion(engine, requestOf('after it'))).error).toBeUndefined()
    })

    extra.more?.(() => engine)

    it('stop ends what runs and takes nothing any more', async () => {
      let stopped: Promise<void> | undefined
      const ran = await runDiffusion(engine, requestOf('stopped', { steps: 500 }), {
        onCall: () => {
          stopped ??= engine.stop(0)
        },
      })
      await stopped
      expect(['engine_unavailable', 'engine_failed', 'client_closed_request', 'shutting_down']).toContain(ran.error!.code)
      expect(ran.faults).toEqual([])
      expect(engine.ready).toBe(false)
      expect(states.at(-1)).toMatchObject({ kind: 'state', ready: false })
      expect((await runDiffusion(engine, requestOf('late'))).error).toMatchObject({ code: 'engine_unavailable' })
      await engine.stop(0)
    })
  })
}

/** One number for each output. */
function digest({ outputs, error }: Awaited<ReturnType<typeof runDiffusion>>): string[] {
  expect(error).toBeUndefined()
  return outputs.map(({ frames }) => frames.map((frame) => Bun.hash(frame).toString(36)).join(' '))
}
