// A process that is stopped while it starts begins no engine afterwards, whatever it waited for.
import { afterAll, expect, test } from 'bun:test'
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { log } from '../../../../src/lib/log.ts'
import { ownMakers } from '../../../../src/serve/fleet/media/own-makers.ts'
import type { DiffusionEngineOptions, MediaEngineOptions } from '../../../../src/serve/options.ts'
import { until } from '../../../helpers/run-request.ts'

const folder = mkdtempSync(join(tmpdir(), 'own-makers-'))
log.level = 'silent'
afterAll(() => rmSync(folder, { recursive: true }))

const options = (engine: DiffusionEngineOptions): MediaEngineOptions => ({
  engine,
  makes: 'video',
  workers: 2,
  workerId: (index) => `w-${index}`,
  version: '0',
  model: { path: 'models/tiny-Wan2.1-T2V-1.3B', servedNames: [], hub: {} as never, standard: false },
  media: { kernels: 'cpu', ffmpeg: 'ffmpeg', encoder: undefined, queueLimit: 1 },
  canary: undefined,
})

test('stopped while the engine’s Python is asked for an ffmpeg: the engine is not started', async () => {
  const python = join(folder, 'python')
  const ask = `touch ${folder}/asked; while [ ! -e ${folder}/answer ]; do sleep 0.02; done`
  writeFileSync(python, `#!/bin/sh\nPATH=/usr/bin:/bin\nif [ "$1" = -c ]; then ${ask}; else touch ${folder}/engine; fi\nexit 1\n`)
  chmodSync(python, 0o755)
  // --config: which weights there are is not looked at.
  const own = ownMakers(options({ kind: 'sglang', python, args: ['--config', 'x'], env: { PATH: folder }, cacheDir: folder }), 0)
  const failed = own.start().catch((error) => error.code)
  await until('it is asked', () => existsSync(join(folder, 'asked')))
  await own.stop()
  writeFileSync(join(folder, 'answer'), '')
  expect(await failed).toBe('shutting_down')
  expect(existsSync(join(folder, 'engine'))).toBe(false)
})

test('stopped at any moment of its start: no engine is ready afterwards', async () => {
  for (let turns = 0; turns < 60; turns++) {
    const own = ownMakers(options({ kind: 'mock', speedupRatio: 100, failure: '', replicas: 1 }), 0)
    const ended = own.start().then(
      () => 'started',
      (error) => error.code,
    )
    for (let turn = 0; turn < turns; turn++) await null
    await own.stop()
    expect(['started', 'shutting_down']).toContain(await ended)
    expect((await own.health.check()).filter(({ ready }) => ready)).toEqual([])
  }
})
