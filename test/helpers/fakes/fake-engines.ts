// SGLang engines over the fake bridge, for the tests of one file: each is stopped when its test ends.
import { afterAll, afterEach } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type SglangEngine, sglangEngine } from '../../../src/engine/sglang/engine.ts'
import type { SglangOptions } from '../../../src/engine/sglang/options.ts'
import type { EngineEvent } from '../../../src/engine/types.ts'
import { fakePython } from './fake-python.ts'

interface Made {
  engine: SglangEngine
  notices: string[]
  events: EngineEvent[]
  /** What the fake has counted. */
  facts(): Promise<Record<string, unknown>>
}

export function fakeEngines() {
  const folder = mkdtempSync(join(tmpdir(), 'fake-engines-'))
  const python = fakePython(folder)
  const env = { PATH: process.env.PATH ?? '/usr/bin:/bin' }
  const made: SglangEngine[] = []
  afterEach(async () => {
    await Promise.all(made.splice(0).map((engine) => engine.stop(0)))
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  function make(more: Partial<SglangOptions> = {}): Made {
    const notices: string[] = []
    const events: EngineEvent[] = []
    const engine = sglangEngine({ python, args: [], env, cacheDir: join(folder, 'cache'), onNotice: (text) => notices.push(text), ...more })
    engine.on((event) => events.push(event))
    made.push(engine)
    const facts = () => engine.control('facts', {}) as Promise<Record<string, unknown>>
    return { engine, notices, events, facts }
  }
  return {
    /** Gone after the file's tests. */
    folder,
    make,
    async start(more: Partial<SglangOptions> = {}): Promise<Made & { pid: number }> {
      const one = make(more)
      await one.engine.start()
      return { ...one, pid: one.engine.pids[0]! }
    },
  }
}
