// SGLang's own encoders, as servers of an encode worker, that stand still amid a picture: it is encoded by another one, or fails with the cause, however long the work may take.
// What decides is that a request ends while its encoder still stands.
import { expect, setDefaultTimeout, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { processStat } from '../../src/engine/process-group.ts'
import { need } from '../helpers/need.ts'
import { pngOf } from '../helpers/pictures.ts'
import { childrenOf } from '../helpers/processes/children.ts'
import { eventually } from '../helpers/processes/start.ts'
import { found, look, patchesInWork, startVisionFleet } from '../helpers/processes/vision-fleet.ts'
import { cpuEnv, sglangPython } from '../helpers/sglang.ts'
import { vlArgs } from '../helpers/vision.ts'

setDefaultTimeout(400_000)

const python = sglangPython()

if (need('SGLang (bun run sglang:setup)', python !== undefined))
  test('one of two is stopped: the other encodes its picture; both are: pictures fail with the cause, text is answered; they go on, and so do pictures', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'vision-frozen-'))
    const fleet = startVisionFleet(
      { ...cpuEnv(false), SGLANG_HOST_IP: '127.0.0.1', DYN_DISCOVERY_BACKEND: 'file', DYN_FILE_KV: folder },
      300_000,
    )
    const stopped = new Set<number>()
    const stop = (pid: number) => {
      process.kill(-pid, 'SIGSTOP')
      stopped.add(pid)
    }
    try {
      const sglang = ['--engine', 'sglang', '--vision-encoder', 'sglang', '--vision-encoders', '2', '--python', python!, ...vlArgs()]
      // Whatever memory is free.
      sglang.push('--vision-max-patches', '10000')
      const [{ url }, language, encoder] = await Promise.all([fleet.frontend(), fleet.language(), fleet.encoder(sglang)])
      await found(url, language, 1)
      const servers = childrenOf(encoder.pid)
      expect(servers).toHaveLength(2)
      /** Of the servers: which one works on a picture that was just sent. */
      const working = async () => {
        const before = servers.map((pid) => processStat(pid)!.cpuMs)
        let most = 0
        await eventually('it is in work', async () => {
          const worked = servers.map((pid, i) => processStat(pid)!.cpuMs - before[i]!)
          most = worked.indexOf(Math.max(...worked))
          return (await encoder.metric(patchesInWork)) > 0 && worked[most]! > 200
        })
        return servers[most]!
      }
      const large = async (seed: number) => look(url, [await pngOf(1120, 1120, seed)])

      const moved = large(1)
      stop(await working())
      expect(await moved).not.toMatch(/^\d{3} /)

      const failing = large(2)
      stop(await working())
      expect(await failing).toMatch(/^503 encoder_unavailable.* shows no sign of life/)
      expect(await look(url, [await pngOf(112, 84, 3)])).toStartWith('503 encoder_unavailable')
      expect(await look(url, [], 'Hi')).not.toMatch(/^\d{3} /)
      for (const pid of stopped) process.kill(-pid, 'SIGCONT')
      // Behind what they had, which nobody waits for any more.
      await eventually('pictures are encoded', async () => !(await look(url, [await pngOf(112, 84, 4)])).startsWith('503'), 120_000)
    } finally {
      for (const pid of stopped) process.kill(-pid, 'SIGCONT')
      await fleet.stop()
      rmSync(folder, { recursive: true, force: true })
    }
  })
