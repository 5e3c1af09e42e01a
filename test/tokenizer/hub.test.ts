// A hub name becomes a folder with the small files, in the layout that the engine's Python shares.
import { afterEach, beforeEach, expect, test } from 'bun:test'
import { lstat, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type HubOptions, hubOptions, isHubName, resolveModel } from '../../src/tokenizer/hub.ts'
import { type HubServer, startHub } from './hub-server.ts'

const sha = 'a'.repeat(40)
const files = {
  'config.json': '{"architectures":["X"]}',
  'tokenizer.json': JSON.stringify({ big: 'x'.repeat(200_000) }),
  'chat_template.jinja': '{{ messages }}',
  'model.safetensors': 'w'.repeat(5000),
  'README.md': 'no',
}
let hub: HubServer
let home: string
let lines: string[]

const options = (more: Partial<HubOptions> = {}): HubOptions => ({
  ...hubOptions({ HF_HOME: home, HF_ENDPOINT: `${hub.endpoint}/` }, undefined, (line) => lines.push(line)),
  ...more,
})

beforeEach(async () => {
  hub = startHub({ 'org/tiny': { sha, files }, 'org/gated': { sha, files, token: 'secret' } })
  home = await mkdtemp(join(tmpdir(), 'hub-test-'))
  lines = []
})
afterEach(async () => {
  await hub.stop()
  await rm(home, { recursive: true, force: true })
})

test('a folder is itself', async () => {
  expect(await resolveModel(home, options())).toBe(home)
  expect(hub.requests).toEqual([])
})

test('a name is loaded without its weights, as blobs with links', async () => {
  const folder = await resolveModel('org/tiny', options())
  expect(folder).toBe(join(home, 'hub/models--org--tiny/snapshots', sha))
  expect((await readdir(folder)).sort()).toEqual(['chat_template.jinja', 'config.json', 'tokenizer.json'])
  expect(await readFile(join(folder, 'tokenizer.json'), 'utf8')).toBe(files['tokenizer.json'])
  expect((await lstat(join(folder, 'config.json'))).isSymbolicLink()).toBe(true)
  expect(await readFile(join(home, 'hub/models--org--tiny/refs/main'), 'utf8')).toBe(sha)
  expect(lines[0]).toBe('org/tiny: config.json (1 of 3)')
})

test('the second time only the commit is asked for', async () => {
  await resolveModel('org/tiny', options())
  hub.requests.length = 0
  await resolveModel('org/tiny', options())
  expect(hub.requests).toEqual(['GET /api/models/org/tiny/revision/main'])
})

test('offline it comes from the cache, by branch and by commit', async () => {
  const folder = await resolveModel('org/tiny', options())
  hub.requests.length = 0
  expect(await resolveModel('org/tiny', options({ offline: true }))).toBe(folder)
  expect(await resolveModel('org/tiny', options({ offline: true, revision: sha }))).toBe(folder)
  expect(hub.requests).toEqual([])
  expect(resolveModel('org/other', options({ offline: true }))).rejects.toThrow('it has: org/tiny')
})

test('a hub that cannot be reached: the cache serves, or the message says so', async () => {
  const folder = await resolveModel('org/tiny', options())
  await hub.stop()
  expect(await resolveModel('org/tiny', options())).toBe(folder)
  expect(lines.at(-1)).toContain('using the cached files')
  expect(resolveModel('org/other', options())).rejects.toMatchObject({ code: 'model_path_not_found' })
})

test('a cut download goes on where it stopped', async () => {
  hub.cutAfter = 50_000
  const folder = await resolveModel('org/tiny', options())
  expect(await readFile(join(folder, 'tokenizer.json'), 'utf8')).toBe(files['tokenizer.json'])
  expect(hub.requests.filter((request) => request.startsWith('CDN')).length).toBe(2)
})

test('a partial file that does not fit is loaded anew', async () => {
  const blobs = join(home, 'hub/models--org--tiny/blobs')
  const sha256 = new Bun.CryptoHasher('sha256').update(files['tokenizer.json']).digest('hex')
  await Bun.write(join(blobs, `${sha256}.incomplete`), 'garbage')
  const folder = await resolveModel('org/tiny', options())
  expect(await readFile(join(folder, 'tokenizer.json'), 'utf8')).toBe(files['tokenizer.json'])
})

test('the token opens a gated model and does not go to the CDN', async () => {
  await expect(resolveModel('org/gated', options())).rejects.toThrow('HF_TOKEN')
  await resolveModel('org/gated', options({ token: 'secret' }))
  expect(hub.cdnAuthorization).toEqual([null])
})

test('an unknown model or revision is refused by name', async () => {
  await expect(resolveModel('org/none', options())).rejects.toMatchObject({ code: 'model_path_not_found' })
  await expect(resolveModel('org/tiny', options({ revision: 'v9' }))).rejects.toThrow('v9')
  await expect(resolveModel('/no/such/folder', options())).rejects.toThrow('no folder /no/such/folder')
})

test("the hub's variables", () => {
  const from = (env: Record<string, string>) => hubOptions(env, undefined, () => {})
  expect(from({ HF_HOME: '/h' }).cacheFolder).toBe('/h/hub')
  expect(from({ XDG_CACHE_HOME: '/x' }).cacheFolder).toBe('/x/huggingface/hub')
  expect(from({ HF_HOME: '/h', HUGGINGFACE_HUB_CACHE: '/c' }).cacheFolder).toBe('/c')
  expect(from({ HF_HUB_OFFLINE: '1', HF_TOKEN: 't' })).toMatchObject({
    offline: true,
    token: 't',
    endpoint: 'https://huggingface.co',
    revision: 'main',
  })
})

test('what can be a name', () => {
  expect(['gpt2', 'Qwen/Qwen3-0.6B', 'a/b.c_d'].map(isHubName)).toEqual([true, true, true])
  expect(['/a/b', './a', '../a', 'a/b/c', 'a/..', '', 'a b'].map(isHubName)).toEqual(Array(7).fill(false))
})
