// Clips in the bridge with SGLang's own processor, without an engine: what rows and places become, several clips in one item, what does not add up; and frames of ours
// against SGLang's way with the files that they were taken from.
import { expect, test } from 'bun:test'
import { join } from 'node:path'
import type { GenerateRequest } from '../../../../src/engine/types.ts'
import { clipRequests } from '../../../helpers/clip-requests.ts'
import { hasFfmpeg } from '../../../helpers/clips.ts'
import { need } from '../../../helpers/need.ts'
import { pythonWith } from '../../../helpers/python.ts'
import { cpuEnv, sglangPython } from '../../../helpers/sglang.ts'
import { visionFixture } from '../../../helpers/vision-fixtures.ts'

const bridge = join(import.meta.dir, '../../../../src/engine/sglang/bridge')

/** Runs a script of this folder, which says `ok` when all is well. */
async function check(python: string, script: string, args: string[], input = ''): Promise<void> {
  const command = [python, '-B', join(import.meta.dir, script), bridge, ...args]
  const child = Bun.spawn(command, { env: cpuEnv(false), stdin: new Blob([input]), stdout: 'pipe', stderr: 'pipe' })
  const [out, errors] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()])
  expect({ status: await child.exited, errors }).toMatchObject({ status: 0 })
  expect(out).toContain('ok')
}

const python = sglangPython()
test.skipIf(!need('SGLang (bun run sglang:setup)', python !== undefined))(
  'rows, places and frames of clips',
  () => check(python!, 'clips.py', []),
  300_000,
)

/** GEN's `media` (bridge/WIRE.md), bytes as base64. */
function asJson({ promptIds, media }: GenerateRequest): string {
  const text = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64')
  const entries = media!.map(({ kind, file, hash, offset, tokens, placeholder, single, grid, frames = [], clip }) => {
    const times = clip && [frames.map(text), clip.frames, clip.fps, clip.positions, clip.seconds ?? null]
    return [kind, text(file), hash, offset, tokens, placeholder, single, grid, null, times ?? null]
  })
  return JSON.stringify({ ids: [...promptIds], media: entries })
}

const reader = pythonWith('torchcodec')
const can = need('SGLang with torchcodec (bun run sglang:setup)', reader !== undefined) && hasFfmpeg()
test.skipIf(!can).each(['tiny-vl', 'tiny-vl3'] as const)(
  '%s: what SGLang sees of our frames is what it sees of the file',
  async (name) => {
    const model = await visionFixture(name)
    const [, , request] = await clipRequests(model)
    await check(reader!, 'clip_files.py', [model], asJson(request!))
  },
  300_000,
)
