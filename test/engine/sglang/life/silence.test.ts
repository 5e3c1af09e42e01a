// Nothing waits for ever: lost frames, forgotten requests, an engine that lives but is silent. Against a fake of the bridge.
import { expect, test } from 'bun:test'
import { mkdirSync, mkdtempSync, readdirSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { fakeEngines } from '../../../helpers/fakes/fake-engines.ts'
import { requestOf, runRequest, until } from '../../../helpers/run-request.ts'

const { folder, start } = fakeEngines()

test('an answer whose last frame was lost fails, and the engine goes on', async () => {
  const { engine, facts, pid } = await start()
  const other = runRequest(engine, requestOf([5], { max_new_tokens: 1000 }))
  const ran = await runRequest(engine, requestOf([907], { max_new_tokens: 4 }))
  expect(ran.error).toMatchObject({ code: 'tokens_lost', status: 500 })
  expect(ran.error!.message).toContain('lost')
  // It lost a token to the same frame.
  expect((await other).error).toMatchObject({ code: 'tokens_lost' })
  expect(engine.inFlight()).toBe(0)
  expect(engine.pids[0]).toBe(pid)
  expect((await runRequest(engine, requestOf([5], { max_new_tokens: 2 }))).ids).toEqual([10, 11])
  expect(await facts()).toMatchObject({ fins: 3, unfinished: 0 })
})

test('a request that a living engine has forgotten fails', async () => {
  const { engine, pid } = await start({ silenceMs: 400 })
  expect((await runRequest(engine, requestOf([908]))).error).toMatchObject({ code: 'engine_failed' })
  await until('the probe has ended', () => engine.inFlight() === 0)
  expect(engine.pids[0]).toBe(pid)
})

test('a slot whose abort is never confirmed is given back', async () => {
  const { engine, notices } = await start({ silenceMs: 1200 })
  const abort = new AbortController()
  const running = runRequest(engine, requestOf([908]), abort.signal)
  abort.abort()
  expect((await running).finish).toEqual({ kind: 'abort', message: 'Aborted' })
  await until('the slot is free', () => engine.inFlight() === 0)
  expect(notices).toEqual(['requests that ended here and that the engine never confirmed: 1'])
})

test.each([
  ['an engine that makes no tokens', 909, 400, 'rank 0 did not answer'],
  ['a process that does not run', 910, 400, 'did not answer'],
  ['rows that cannot be read', 911, 0, 'unreadable rows'],
  ['a channel B that closes', 912, 0, 'rows stopped'],
])('%s is replaced, and who waits on it hears of it', async (_what, kind, silenceMs, reason) => {
  const { engine, notices, pid } = await start({ silenceMs })
  const others = [5, 6].map((id) => runRequest(engine, requestOf([id], { max_new_tokens: 100_000 })))
  for (const ran of await Promise.all([runRequest(engine, requestOf([kind])), ...others]))
    expect(ran.error).toMatchObject({ code: 'engine_failed', status: 500 })
  expect(engine.inFlight()).toBe(0)
  await until('the restart', () => engine.ready)
  expect(engine.pids[0]).not.toBe(pid)
  expect(notices.join()).toContain(reason)
  expect((await runRequest(engine, requestOf([5], { max_new_tokens: 2 }))).ids).toEqual([10, 11])
})

test('a pause and a long operation are no silence', async () => {
  const { engine, pid, facts } = await start({ silenceMs: 200 })
  const abort = new AbortController()
  const running = runRequest(engine, requestOf([908]), abort.signal)
  const call = engine.control('never', {})
  call.catch(() => {})
  await Bun.sleep(900)
  expect(engine.inFlight()).toBe(1)
  expect(engine.pids[0]).toBe(pid)
  expect(await facts()).toMatchObject({ live: 1, fins: 0 })
  abort.abort()
  await running
})

test('the folder of the sockets goes with the engine; those of killed processes go at the next start', async () => {
  const tmpDir = mkdtempSync(join(folder, 'tmp-'))
  const left = join(tmpDir, 'dsgl-left')
  const busy = join(tmpDir, 'dsgl-busy')
  const empty = join(tmpDir, 'dsgl-empty')
  const young = join(tmpDir, 'dsgl-young')
  for (const path of [left, busy, empty, young]) mkdirSync(path)
  utimesSync(empty, 1, 1)
  const dead = Bun.spawn([
    process.execPath,
    '-e',
    `Bun.listen({ unix: '${left}/b', socket: { data() {} } }); process.kill(process.pid, 'SIGKILL')`,
  ])
  await dead.exited
  const listener = Bun.listen({ unix: `${busy}/b`, socket: { data() {} } })
  const { engine } = await start({ tmpDir })
  expect(readdirSync(left.replace('/dsgl-left', ''))).toEqual(expect.arrayContaining(['dsgl-busy', 'dsgl-young']))
  expect(readdirSync(tmpDir)).toHaveLength(3)
  await engine.stop(0)
  expect(readdirSync(tmpDir).sort()).toEqual(['dsgl-busy', 'dsgl-young'])
  listener.stop()
})
