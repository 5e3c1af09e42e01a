// The official PyPI client and the video API: openai_videos.py does the asking.
import { afterAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pngHead } from '../../helpers/fakes/image-input.ts'
import { videosApp } from '../../helpers/fakes/videos-app.ts'
import { need } from '../../helpers/need.ts'
import { pythonWith, run } from '../../helpers/python.ts'

const python = pythonWith('openai')
const folder = mkdtempSync(join(tmpdir(), 'dyn-python-videos-'))
afterAll(() => rmSync(folder, { recursive: true }))
const names = ['create_and_poll', 'create_with_image_and_poll', 'create_in_background', 'list_all', 'delete', 'error_classes']

describe.if(need('a python with openai (bun run sglang:setup)', python !== undefined))('openai for Python', () => {
  test('creates, polls, lists, downloads, deletes', async () => {
    await using app = videosApp()
    const png = join(folder, 'start.png')
    await Bun.write(png, pngHead(640, 640))
    const { code, stdout, stderr } = await run([python!, join(import.meta.dir, 'openai_videos.py'), `${app.url}/v1`, png], 120_000)
    expect([code, stderr]).toEqual([0, ''])
    expect(JSON.parse(stdout)).toEqual(Object.fromEntries(names.map((name) => [name, true])))
  }, 120_000)
})
