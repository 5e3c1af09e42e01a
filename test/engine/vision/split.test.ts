// A language-only server of SGLang in front of our gateway: rows of any encoder of ours, answers equal to those of its own tower, and failures that leave it well.
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import { type Child, startChild } from '../../../src/engine/supervisor.ts'
import type { MediaItem } from '../../../src/engine/types.ts'
import { cachedEncoder, EmbeddingCache } from '../../../src/engine/vision/cache.ts'
import { type Gateway, startGateway } from '../../../src/engine/vision/gateway/gateway.ts'
import { type Registration, register } from '../../../src/engine/vision/gateway/registration.ts'
import { mockEncoder } from '../../../src/engine/vision/mock/encoder.ts'
import { visionPool } from '../../../src/engine/vision/pool/pool.ts'
import { sglangEncoder } from '../../../src/engine/vision/sglang/encoder.ts'
import { freePort } from '../../../src/engine/vision/sglang/server.ts'
import type { VisionEncoder } from '../../../src/engine/vision/vision.ts'
import { clipRequests } from '../../helpers/clip-requests.ts'
import { dataUrl, hasFfmpeg } from '../../helpers/clips.ts'
import { namedReader, nameOf } from '../../helpers/named-pictures.ts'
import { need } from '../../helpers/need.ts'
import { pythonWith } from '../../helpers/python.ts'
import { cpuEnv } from '../../helpers/sglang.ts'
import { noisePicture, tinyVl, vlArgs } from '../../helpers/vision.ts'
import { visionFixture } from '../../helpers/vision-fixtures.ts'

const python = pythonWith('torchcodec')
const startMs = 300_000

interface Answer {
  status: number
  ids?: number[]
  cached?: number
  said?: string
}

/** What one wants to read of an answer that did not come. */
function saidOf({ status, said = '' }: Answer): string {
  return `${status} ${said}`
}

if (need('SGLang with torchcodec (bun run sglang:setup)', python !== undefined) && hasFfmpeg()) {
  describe.each(['tiny-vl', 'tiny-vl3'] as const)('a language-only server of %s and our gateway', (name) => {
    const env = { ...cpuEnv(false), SGLANG_HOST_IP: '127.0.0.1', SGLANG_ENCODER_RECV_TIMEOUT: '30' }
    let language: Child
    let url = ''
    let bootstrap = ''
    let gateway: Gateway | undefined
    let registration: Registration | undefined
    let offered: VisionEncoder | undefined
    let pictures: MediaItem[]
    let clips: MediaItem[]
    let model = tinyVl
    const files = new Map<string, MediaItem>()

    beforeAll(async () => {
      model = await visionFixture(name)
      pictures = [await noisePicture(1, 112, 84), await noisePicture(2, 196, 140), await noisePicture(3, 84, 140)]
      const seen = (await clipRequests(model)).flatMap(({ media }) => media!)
      // The mock's rows are those of tiny-vl's patches.
      if (name === 'tiny-vl3') pictures = [seen[3]!, seen[5]!, seen[7]!]
      clips = [seen[0]!, seen[1]!]
      for (const item of [...pictures, ...clips]) files.set(item.hash, item)
      const [port, bootstrapPort] = [await freePort(), await freePort()]
      url = `http://127.0.0.1:${port}`
      bootstrap = `http://127.0.0.1:${bootstrapPort}`
      const flags = `--enable-multimodal --language-only --encoder-bootstrap-port ${bootstrapPort} --encoder-transfer-backend zmq_to_scheduler`
      const args = [...vlArgs(model), ...flags.split(' '), '--host', '127.0.0.1', '--port', `${port}`]
      language = startChild({ command: [python!, '-m', 'sglang.launch_server', ...args], env, onLine: () => {} })
      while (
        !(await fetch(`${url}/health`).then(
          ({ ok }) => ok,
          () => false,
        ))
      ) {
        if (!language.running) throw new Error(`the language server did not start:\n${language.lastLines().slice(-20).join('\n')}`)
        await Bun.sleep(500)
      }
    }, startMs)
    afterAll(async () => {
      await withdraw()
      await language?.stop(2000)
    }, startMs)

    afterEach(withdraw)

    /** A gateway in front of `encoder`, which the server knows. */
    async function offer(encoder: VisionEncoder, deadline: { deadlineMs?: number } = {}): Promise<void> {
      offered = encoder
      gateway = startGateway({ encoder, hostname: '127.0.0.1', port: 0, read: namedReader([...files.values()]), ...deadline })
      registration = register({ servers: [bootstrap], url: gateway.url })
      const known = async () => ((await (await fetch(`${bootstrap}/list_encoder_urls`)).json()) as { encoder_urls: string[] }).encoder_urls
      while (!(await known()).includes(gateway.url)) await Bun.sleep(20)
    }

    async function withdraw(): Promise<void> {
      await registration?.stop()
      await gateway?.close()
      await offered?.stop()
      registration = undefined
      gateway = undefined
      offered = undefined
    }

    async function ask(images: readonly string[], videos: readonly string[] = []): Promise<Answer> {
      // Vision start, one placeholder, vision end.
      const marks = [...images.flatMap(() => [1019, 1022, 1020]), ...videos.flatMap(() => [1019, 1023, 1020])]
      const data = { ...(images.length > 0 && { image_data: images }), ...(videos.length > 0 && { video_data: videos }) }
      const body = {
        input_ids: [10, 11, 12, ...marks, 20, 21, 22],
        ...data,
        sampling_params: { temperature: 0, max_new_tokens: 16, ignore_eos: true },
      }
      const headers = { 'content-type': 'application/json' }
      const response = await fetch(`${url}/generate`, { method: 'POST', headers, body: JSON.stringify(body) })
      const answer = (await response.json()) as {
        output_ids?: number[]
        meta_info?: { cached_tokens: number }
        error?: { message: string }
        message?: string
      }
      if (answer.output_ids === undefined) return { status: response.status, said: answer.error?.message ?? answer.message ?? '' }
      return { status: response.status, ids: answer.output_ids, cached: answer.meta_info!.cached_tokens }
    }

    if (name === 'tiny-vl') {
      test('rows of the mock encoder are accepted; the same picture is found in the KV cache', async () => {
        const encoder = mockEncoder({ modelPath: tinyVl, dim: 64 })
        await encoder.start()
        await offer(encoder)
        const [a, b] = pictures.map(nameOf) as [string, string, string]
        const first = await ask([a])
        expect(first).toMatchObject({ status: 200, cached: 0 })
        expect(await ask([a])).toEqual({ ...first, cached: 16 })
        expect((await ask([b])).ids).not.toEqual(first.ids!)
        expect(await ask([a, b])).toMatchObject({ status: 200, cached: 16 })
      }, 60_000)

      test('whatever goes wrong at the encoder is the request’s failure with its cause, and the server goes on', async () => {
        const encoder = mockEncoder({ modelPath: tinyVl, dim: 64, failure: 'error=2,short-row=3' })
        await encoder.start()
        await offer(encoder)
        const [a, , c] = pictures.map(nameOf) as [string, string, string]
        expect(await ask([a])).toMatchObject({ status: 200 })
        expect(await ask([c])).toMatchObject({ status: 500, said: expect.stringContaining('told to fail') })
        expect(await ask([c])).toMatchObject({ status: 500, said: expect.stringContaining('14 rows for 15 placeholders') })
        expect(await ask(['named:unknown'])).toMatchObject({ status: 404, said: expect.stringContaining('named:unknown is not here') })
        await withdraw()
        const hanging = mockEncoder({ modelPath: tinyVl, dim: 64 })
        await hanging.start()
        await offer(hanging, { deadlineMs: 3000 })
        hanging.hang()
        expect(await ask([c])).toMatchObject({ status: 504, said: expect.stringContaining('did not finish within 3 s') })
        await withdraw()
        const well = mockEncoder({ modelPath: tinyVl, dim: 64 })
        await well.start()
        await offer(well)
        expect(await ask([a, c])).toMatchObject({ status: 200 })
      }, 60_000)
    }

    test(
      'behind cache and pool, SGLang’s own encoder gives the answers of the server’s own tower',
      async () => {
        const pool = visionPool()
        pool.add('sglang', sglangEncoder({ modelPath: model, server: { python: python!, args: vlArgs(model), env } }))
        const cache = new EmbeddingCache(1e8)
        const encoder = cachedEncoder(pool, cache)
        await encoder.start()
        await offer(encoder)
        const cases = [[0], [1], [2], [0, 1], [2, 0, 1]].map((which) => which.map((i) => pictures[i]!))
        const split: Answer[] = []
        for (const items of cases) split.push(await ask(items.map(nameOf)))
        expect(split.map(saidOf)).toEqual(cases.map(() => '200 '))
        expect(cache.figures).toMatchObject({ misses: 3, hits: 5 })
        // SGLang's two ways with clips differ by themselves: for Qwen2.5-VL in how long a group of frames lasts, for Qwen3-VL in the marks around it.
        const moving = [
          await ask([], [nameOf(clips[0]!)]),
          await ask([], [nameOf(clips[1]!)]),
          await ask([nameOf(pictures[0]!)], [nameOf(clips[1]!)]),
        ]
        expect(moving.map(saidOf)).toEqual(['200 ', '200 ', '200 '])
        await withdraw()
        await encoder.stop()
        // Without an encoder it uses its own tower, and takes pictures as anybody else does. Qwen3-VL's answers are compared in test/interop/vision-split.test.ts.
        if (name === 'tiny-vl3') return
        for (const [i, items] of cases.entries()) {
          const urls = items.map(({ file }) => dataUrl(file, 'image/png'))
          expect((await ask(urls)).ids).toEqual(split[i]!.ids!)
        }
      },
      startMs,
    )
  })
}
