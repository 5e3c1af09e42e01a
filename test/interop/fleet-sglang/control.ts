// Operators' calls over HTTP that reach a real SGLang: what each does to the traffic, and to the others.
import { expect, test } from 'bun:test'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { operate, realModel, serving, workersOf } from '../../helpers/processes/sglang-fleet.ts'
import { ask, plain, sameOf } from './answers.ts'
import type { Setup } from './setup.ts'

export function control(setup: () => Setup): void {
  const url = () => setup().frontend.url
  const places = async (count: number, from: number) =>
    (await Promise.all(Array.from({ length: count }, (_, i) => ask(url(), plain(from + i, { max_tokens: 4 }))))).map((one) => one.worker)

  test('a paused worker takes no traffic, what ran there goes on elsewhere, and it comes back', async () => {
    const { a, b } = setup()
    const running = plain(200, { max_tokens: 300, stream: true })
    const calm = await ask(url(), running)
    let pausing: Promise<Response> | undefined
    let pieces = 0
    const cut = await ask(url(), running, (worker) => {
      if (++pieces === 20) pausing = operate(url(), 'pause_generation', { worker_id: worker })
    })
    expect((await pausing!).status).toBe(200)
    expect(cut.texts).toEqual(calm.texts)
    const [paused, other] = cut.worker === a.id ? [a, b] : [b, a]
    expect((await workersOf(url())).find((one) => one.worker_id === paused.id)!.ready).toBe(false)
    expect(new Set(await places(6, 210))).toEqual(new Set([other.id]))
    expect((await operate(url(), 'continue_generation', { worker_id: paused.id })).status).toBe(200)
    await serving(url(), [a.id, b.id])
    expect(new Set(await places(8, 220))).toEqual(new Set([a.id, b.id]))
  }, 60_000)

  test('a profile is written where the operator said', async () => {
    const { a } = setup()
    const folder = mkdtempSync(join(tmpdir(), 'profile-'))
    try {
      const args = { worker_id: a.id, output_dir: folder, activities: ['CPU'], with_stack: false, record_shapes: false }
      expect((await operate(url(), 'start_profile', args)).status).toBe(200)
      await ask(url(), plain(230, { max_tokens: 2, nvext: { backend_instance_id: a.id } }))
      expect((await operate(url(), 'stop_profile', { worker_id: a.id })).status).toBe(200)
      expect(readdirSync(folder).some((name) => name.includes('trace'))).toBe(true)
      const again = await operate(url(), 'stop_profile', { worker_id: a.id })
      expect(again.status).toBeGreaterThanOrEqual(400)
      expect(await again.text()).toContain('Profiling is not in progress')
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  }, 120_000)

  test('weights are loaded again, and the same weights give the same answer', async () => {
    const { a, b } = setup()
    // A machine that wrote a profile may have kept a worker from its signs of life: it comes back by itself.
    await serving(url(), [a.id, b.id])
    const before = await ask(url(), plain(240))
    const loaded = await operate(url(), 'update_weights_from_disk', { model_path: realModel })
    expect(((await loaded.json()) as { results: unknown[] }).results).toHaveLength(2)
    const after = await ask(url(), plain(240))
    expect(sameOf(after)).toEqual(sameOf(before))
    // Weights that are not there: refused, and nothing is lost.
    const missing = await operate(url(), 'update_weights_from_disk', { model_path: '/nonexistent/model' })
    expect(missing.status).toBeGreaterThanOrEqual(400)
    expect(sameOf(await ask(url(), plain(240)))).toEqual(sameOf(before))
  }, 300_000)

  test('what this SGLang cannot do is refused, and it goes on serving', async () => {
    const { a, b } = setup()
    const refused = await operate(url(), 'release_memory_occupation')
    expect(refused.status).toBe(400)
    expect(await refused.text()).toContain('--enable-memory-saver')
    await serving(url(), [a.id, b.id])
    expect((await operate(url(), 'no_such_operation')).status).toBe(404)
  }, 60_000)
}
