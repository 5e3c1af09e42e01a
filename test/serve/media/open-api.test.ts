// The jobs of a server as its settings say: with the store that has their clips, as many as its makers hold, for as long as they are kept.
import { afterEach, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { mediaRegistry } from '../../../src/pipeline/media/media-registry.ts'
import { mediaPipeline } from '../../../src/pipeline/media/pipeline.ts'
import { openMediaApi } from '../../../src/serve/media/open-api.ts'
import { ended, has, order } from '../../pipeline/media/jobs/jobs-setup.ts'
import { world as makerWorld, wan } from '../../pipeline/media/maker-world.ts'

const ending: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ending.splice(0).reverse()) await end()
})

function folderOf(): string {
  const folder = mkdtempSync(join(tmpdir(), 'open-api-'))
  ending.push(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

const HOUR = 3_600_000

/** One server with one mock engine; its files lie in `folder/files`. */
async function server(folder: string, files: string, { speedupRatio = 1e6, queueLimit = 4 } = {}) {
  const { maker, engine } = await makerWorld({ modelPath: wan, speedupRatio }, { queueLimit })
  const registry = mediaRegistry()
  registry.add({ id: 'filmer', aliases: [], createdSecs: 1, makes: 'video' }, [maker])
  const media = {
    store: { fsUrl: `file://${folder}/${files}`, httpUrl: undefined, maxBytes: undefined, maxAgeMs: undefined, env: {} },
    jobsFolder: join(folder, 'jobs'),
    jobKeepMs: HOUR,
    input: { allowInternal: false, localPath: undefined, maxDataUrlMb: undefined },
  }
  const opened = await openMediaApi({ media, ignoreUnknownFields: false }, mediaPipeline(registry), registry)
  ending.push(async () => {
    await opened.jobs.close(0)
    await engine.stop(0)
    await opened.close()
  })
  return opened.jobs
}

test('servers that share a folder of jobs, not a store, do not see each other’s jobs', async () => {
  const folder = folderOf()
  const one = await server(folder, 'a')
  const { id } = await one.create(order())
  const { status, endedMs, expiresMs } = await ended(one, id)
  expect([status, expiresMs! - endedMs!]).toEqual(['completed', HOUR])
  const other = await server(folder, 'b')
  expect(has(other, id)).toBe(false)
  await expect(other.remove(id)).rejects.toMatchObject({ code: 'media_not_found' })
  const same = await server(folder, 'a')
  expect((await same.content(id)).file.bytes).toBeGreaterThan(0)
})

test('one limit for what waits: the queue of the engine and the one that it makes', async () => {
  const jobs = await server(folderOf(), 'a', { speedupRatio: 0.001, queueLimit: 2 })
  for (let i = 0; i < 3; i++) await jobs.create(order())
  await expect(jobs.create(order())).rejects.toMatchObject({ code: 'overloaded', message: expect.stringContaining("3 jobs of 'filmer'") })
})
