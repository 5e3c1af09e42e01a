// An encode worker from its start to its end: what it shows, what it answers, and that nothing of it stays.
import { expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { encodeWorkerOptions } from '../../../src/cli/deployment/process-options.ts'
import { parseSettings } from '../../../src/cli/settings/parse-settings.ts'
import { readEncoderCard } from '../../../src/engine/vision/remote/card.ts'
import { remoteEncoder } from '../../../src/engine/vision/remote/encoder.ts'
import { log } from '../../../src/lib/log.ts'
import { openEncodeWorker } from '../../../src/serve/worker/encode-worker.ts'
import { tcpClient } from '../../../src/transport/tcp/client.ts'
import { languageServer } from '../../helpers/language-server.ts'
import { noisePicture } from '../../helpers/vision.ts'
import { cards, leavingSuite } from '../../suites/leaving.suite.ts'

log.level = 'silent'

function optionsFor(folder: string, more = '') {
  const line = `--engine mock --multimodal-encode-worker --model-path models/tiny-vl --discovery-backend file --tcp-rpc-host 127.0.0.1 ${more}`
  const settings = parseSettings([...line.trim().split(' '), '--grace-period-secs', '0'], { DYN_FILE_KV: folder }, 'worker')
  return encodeWorkerOptions(settings, {})
}

leavingSuite((folder) => openEncodeWorker(optionsFor(folder)))

test('shows a card by which language workers reach it; tells foreign servers its address, and takes it back', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'encode-worker-'))
  const heard: string[] = []
  const language = Bun.serve({
    ...{ port: 0, hostname: '127.0.0.1' },
    async fetch(request) {
      heard.push(`${request.method} ${new URL(request.url).pathname} ${((await request.json()) as { url: string }).url}`)
      return Response.json(null)
    },
  })
  const worker = openEncodeWorker(optionsFor(folder, `--encoder-register-urls http://127.0.0.1:${language.port}`))
  const card = await worker.start()
  expect(readEncoderCard({ ...card })).toMatchObject({ names: ['models/tiny-vl'], dim: 64 })
  const encoder = remoteEncoder(tcpClient(card.address, { secret: undefined }))
  await encoder.start()
  const item = await noisePicture(1, 56, 56)
  expect(await encoder.encode(item, new AbortController().signal)).toMatchObject({ rows: item.tokens, dim: 64 })
  expect((await fetch(`${card.url}/health`)).status).toBe(200)
  const foreign = languageServer()
  const url = `data:image/png;base64,${Buffer.from(item.file).toString('base64')}`
  const encoded = foreign.encode(card.url!, { req_id: 'a_local_part_0', mm_items: [url] })
  await foreign.tellReceivers(card.url!, 'a_local_part_0')
  expect((await encoded).status).toBe(200)
  const { fields, rows } = await foreign.next()
  expect([fields.shape, rows!.length]).toEqual([[item.tokens, 64], item.tokens * 256])
  foreign.close()
  await encoder.stop()
  await worker.lifecycle.leave('test')
  expect(heard[0]).toBe(`POST /register_encoder_url ${card.url}`)
  expect(heard.at(-1)).toBe(`DELETE /unregister_encoder_url ${card.url}`)
  expect(cards(folder)).toEqual([])
  await language.stop(true)
  rmSync(folder, { recursive: true })
})
