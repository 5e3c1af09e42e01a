// The bridge on its wire, against a real SGLang on CPU, without the TypeScript engine: checks.py plays the other side.
import { expect, test } from 'bun:test'
import { join } from 'node:path'
import { need } from '../../../helpers/need.ts'
import { cpuEnv, sglangPython, tinyModel } from '../../../helpers/sglang.ts'

const python = sglangPython()
const model = tinyModel()
const embedding = join(import.meta.dir, '../../../../models/tiny-embed')
const present = need('a real SGLang (bun run sglang:setup)', python !== undefined && model !== undefined)

const groups = {
  levels: 'L1, L0 and L2 answer, refuse, abort and continue alike; scheduler killed, socket closed, shut down',
  ranks: 'two data-parallel ranks',
  embeddings: 'embeddings are the same on every level',
  failures: 'failed starts are told in the words of SGLang',
}

for (const [group, name] of Object.entries(groups))
  test.skipIf(!present)(
    name,
    async () => {
      const script = join(import.meta.dir, 'checks.py')
      const child = Bun.spawn([python!, script, model!, embedding, group], { env: cpuEnv(), stdout: 'pipe', stderr: 'pipe' })
      const [out, errors] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()])
      expect({ status: await child.exited, errors }).toMatchObject({ status: 0 })
      expect(out).toContain('ok')
    },
    900_000,
  )
