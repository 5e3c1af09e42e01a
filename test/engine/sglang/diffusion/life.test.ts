// The life of SGLang's diffusion engine on CPU: what is refused at start, what happens when its processes are killed, what is left when it stops.
import { afterAll, expect, test } from 'bun:test'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { need } from '../../../helpers/need.ts'
import { pictureOf, runDiffusion } from '../../../helpers/run-diffusion.ts'
import { until } from '../../../helpers/run-request.ts'
import { cpuDiffusion, diffusionArgs, diffusionEnv, diffusionPython, tinyPipeline } from '../../../helpers/sglang-diffusion.ts'

const present = need('SGLang diffusion on CPU (bun run sglang:setup)', diffusionPython() !== undefined)
const folder = mkdtempSync(join(tmpdir(), 'diffusion-life-'))
const shared = mkdtempSync('/dev/shm/diffusion-test-')
afterAll(() => {
  for (const path of [folder, shared]) rmSync(path, { recursive: true, force: true })
})
const startMs = 300_000
/** One that nobody has fetched yet is dead too. */
const alive = (pid: number) => {
  const path = `/proc/${pid}/stat`
  return existsSync(path) && !/\) [ZX] /.test(readFileSync(path, 'latin1'))
}

async function refusal(makes: 'image' | 'video', args: string[]) {
  const engine = cpuDiffusion(makes, folder, { args, sharedDir: shared })
  const error = await engine.start().catch((thrown) => thrown)
  expect(error).toMatchObject({ name: 'AppError' })
  expect(engine.pids).toEqual([])
  await engine.stop(0)
  return error
}

test.skipIf(!present)(
  'a missing model, an unknown flag and a model of the other kind are refused, by name',
  async () => {
    mkdirSync(join(folder, 'empty'))
    const broken = join(folder, 'broken-FLUX.1-dev')
    cpSync(tinyPipeline('image'), broken, { recursive: true })
    rmSync(join(broken, 'vae'), { recursive: true })
    const [nowhere, empty, flag, other, half] = await Promise.all([
      refusal('image', ['--model-path', join(folder, 'nowhere')]),
      refusal('image', ['--model-path', join(folder, 'empty')]),
      refusal('image', [...diffusionArgs(tinyPipeline('image')), '--no-such-flag', '3']),
      refusal('image', diffusionArgs(tinyPipeline('video'))),
      refusal('image', diffusionArgs(broken)),
    ])
    expect(nowhere).toMatchObject({
      code: 'model_path_not_found',
      message: expect.stringContaining(join(folder, 'nowhere/model_index.json')),
    })
    expect(empty.message).toContain('empty/model_index.json was not found')
    expect(flag.message).toContain('--no-such-flag')
    expect(other).toMatchObject({
      code: 'invalid_setting',
      param: '--model-path',
      message: expect.stringContaining('--video-generation-worker'),
    })
    expect(half.message).toContain(broken)
    expect(readdirSync(shared)).toEqual([])
  },
  3 * startMs,
)

test.skipIf(!present)(
  'killed processes: the job fails at once, the engine comes back, and nothing is left of the old one',
  async () => {
    // SGLang knows FLUX by the folder's name, which here it is not.
    const path = join(folder, 'my-model')
    symlinkSync(tinyPipeline('image'), path)
    const notices: string[] = []
    const engine = cpuDiffusion('image', folder, {
      args: diffusionArgs(path),
      env: diffusionEnv(),
      sharedDir: shared,
      onNotice: (text) => notices.push(text),
    })
    await engine.start()
    expect(engine.info.pipeline).toBe('FluxPipeline')
    const picture = async () => Bun.hash((await runDiffusion(engine, pictureOf('a house'))).outputs[0]!.frames[0]!)
    const before = await picture()
    for (const which of ['worker', 'bridge'] as const) {
      const pids = engine.pids
      expect(pids).toHaveLength(2)
      const ran = await runDiffusion(engine, pictureOf('unlucky', { steps: 1000 }), {
        onCall: (call) => call === '0:3/1000' && process.kill(pids[which === 'bridge' ? 0 : 1]!, 'SIGKILL'),
      })
      expect(ran.error).toMatchObject({ code: 'engine_failed', status: 500 })
      expect(ran.calls.length).toBeLessThan(50)
      expect(engine.ready).toBe(false)
      expect((await runDiffusion(engine, pictureOf('too early'))).error).toMatchObject({ code: 'engine_unavailable', status: 503 })
      await until('the restart', () => engine.ready, startMs)
      expect(pids.filter(alive)).toEqual([])
      expect(await picture()).toBe(before)
    }
    expect(notices[0]).toContain('sglang-diffusionWorker-0')
    expect(readdirSync(shared)).toHaveLength(1)
    const pids = engine.pids
    await engine.stop(0)
    expect(pids.filter(alive)).toEqual([])
    expect(readdirSync(shared)).toEqual([])
  },
  3 * startMs,
)

test.skipIf(!present)(
  'stop while it starts',
  async () => {
    const engine = cpuDiffusion('image', folder, { sharedDir: shared })
    const failed = engine.start().catch((thrown) => thrown)
    await Bun.sleep(3000)
    await engine.stop(0)
    expect(await failed).toMatchObject({ name: 'AppError' })
    expect(readdirSync(shared)).toEqual([])
  },
  startMs,
)
