// The bridge's queue of diffusion jobs without SGLang's engine: images as private files, one job at a time, what is cancelled while it waits.
import { expect, test } from 'bun:test'
import { join } from 'node:path'
import { need } from '../../../helpers/need.ts'
import { sglangPython } from '../../../helpers/sglang.ts'

const python = sglangPython()
const present = need('a real SGLang (bun run sglang:setup)', python !== undefined)

test.skipIf(!present)(
  'jobs of the bridge',
  async () => {
    const child = Bun.spawn([python!, join(import.meta.dir, 'jobs.py'), join(import.meta.dir, '../../../../src/engine/sglang')], {
      stdout: 'pipe',
      stderr: 'pipe',
    })
    const [said, errors] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited])
    expect({ said: said.trim(), errors }).toEqual({ said: 'ok', errors: '' })
  },
  60_000,
)
