// A media worker that is told to leave while it starts is never left in frontends' sight.
import { expect, test } from 'bun:test'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { mediaWorkerOptions } from '../../../src/cli/deployment/process-options.ts'
import { parseSettings } from '../../../src/cli/settings/parse-settings.ts'
import { log } from '../../../src/lib/log.ts'
import { openMediaWorker } from '../../../src/serve/worker/media-worker.ts'

log.level = 'silent'

test('told to leave at any moment of its start: no card stays, and it ends', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'media-worker-'))
  const line = `--engine mock --image-diffusion-worker --model-path models/tiny-FLUX.1-dev --discovery-backend file --tcp-rpc-host 127.0.0.1`
  const settings = parseSettings([...line.split(' '), '--grace-period-secs', '0'], { DYN_FILE_KV: folder }, 'worker')
  for (let turns = 0; turns < 40; turns++) {
    const worker = openMediaWorker(mediaWorkerOptions(settings, {}))
    const ended = worker.start().then(
      () => 'started',
      (error) => error.code,
    )
    for (let turn = 0; turn < turns; turn++) await new Promise(setImmediate)
    await worker.lifecycle.leave('test')
    expect(['started', 'shutting_down']).toContain(await ended)
    // Its last heartbeat stays: it says that it left.
    expect(readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => /\.(json|tmp)$/.test(name))).toEqual([])
  }
  rmSync(folder, { recursive: true })
})
