// SGLang's diffusion engine on CPU, making clips: the shared suite, its pixels against those of SGLang's own API, and frames that come while others are decoded.
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { need } from '../../../helpers/need.ts'
import { clipOf, runDiffusion } from '../../../helpers/run-diffusion.ts'
import { cpuDiffusion, diffusionPython, sglangsOwn, sha256 } from '../../../helpers/sglang-diffusion.ts'
import { diffusionSuite } from '../../../suites/diffusion.suite.ts'

const present = need('SGLang diffusion on CPU (bun run sglang:setup)', diffusionPython() !== undefined)
const folder = mkdtempSync(join(tmpdir(), 'diffusion-video-'))
const shared = mkdtempSync('/dev/shm/diffusion-test-')
afterAll(() => {
  for (const path of [folder, shared]) rmSync(path, { recursive: true, force: true })
})
const left = () => readdirSync(shared, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())

if (present) {
  const asked = [
    clipOf('a boat', { seed: 3, outputs: 2 }),
    clipOf('a wide boat', { seed: 5, width: 160, height: 64, frames: 17, steps: 3, guidance: 1, negativePrompt: 'rain' }),
  ]
  let expected: string[][]
  // Before our engine starts: two at once are slow.
  beforeAll(async () => {
    expected = await sglangsOwn('video', asked)
  }, 300_000)

  diffusionSuite('SGLang diffusion: clips', () => cpuDiffusion('video', folder, { sharedDir: shared }), {
    makes: 'video',
    more(engine) {
      test('pixels are those of SGLang’s own API, bit by bit, and come a few frames at a time', async () => {
        const ours: string[][] = []
        for (const request of asked) {
          const ran = await runDiffusion(engine(), request)
          expect(ran.error).toBeUndefined()
          ours.push(ran.outputs.map(({ frames }) => sha256(frames)))
          for (const { parts, count } of ran.outputs) expect(parts).toEqual(fours(count))
        }
        expect(ours).toEqual(expected)
      }, 60_000)

      test('cancelled while it is decoded: the rest is not decoded, what was told is good until it is given back', async () => {
        const abort = new AbortController()
        const ran = await runDiffusion(engine(), clipOf('given up late', { frames: 81, steps: 2 }), {
          signal: abort.signal,
          onCall: (call) => call.includes('frames') && abort.abort(),
        })
        expect(ran.error).toMatchObject({ code: 'client_closed_request' })
        expect(ran.outputs[0]!.parts).toEqual([[0, 1]])
        expect((await runDiffusion(engine(), clipOf('the next'))).error).toBeUndefined()
        expect(left()).toEqual([])
      }, 60_000)
    },
  })
}

/** One frame, then four at a time: what a latent frame stands for. */
function fours(count: number): [number, number][] {
  return Array.from({ length: (count - 1) / 4 + 1 }, (_, i): [number, number] => (i === 0 ? [0, 1] : [i * 4 - 3, i * 4 + 1]))
}
