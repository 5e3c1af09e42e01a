// Clips in the bridge with SGLang's own processor, without an engine: what rows and places become, several clips in one item, what does not add up.
import { expect, test } from 'bun:test'
import { join } from 'node:path'
import { need } from '../../../helpers/need.ts'
import { cpuEnv, sglangPython } from '../../../helpers/sglang.ts'

const python = sglangPython()

test.skipIf(!need('SGLang (bun run sglang:setup)', python !== undefined))(
  'rows, places and frames of clips',
  async () => {
    const folder = join(import.meta.dir, '../../../../src/engine/sglang/bridge')
    const command = [python!, '-B', join(import.meta.dir, 'clips.py'), folder]
    const child = Bun.spawn(command, { env: cpuEnv(false), stdout: 'pipe', stderr: 'pipe' })
    const [out, errors] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()])
    expect({ status: await child.exited, errors }).toMatchObject({ status: 0 })
    expect(out).toContain('ok')
  },
  300_000,
)
