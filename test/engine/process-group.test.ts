// What the operating system says of processes that work, sleep and are stopped.
import { afterEach, expect, test } from 'bun:test'
import { groupReader, processIds, processStat } from '../../src/engine/process-group.ts'
import { type Child, startChild } from '../../src/engine/supervisor.ts'
import { until } from '../helpers/run-request.ts'

const children: Child[] = []
afterEach(async () => {
  for (const child of children.splice(0)) await child.stop(0)
}, 10_000)

function start(script: string): Child {
  const child = startChild({ command: ['/bin/sh', '-c', script], env: {}, onLine: () => {} })
  children.push(child)
  return child
}

test('a process that works, and one that it waits for', async () => {
  const busy = start('while :; do :; done & wait')
  const read = groupReader(busy.pid)
  await until('its child works', () => read().some(({ cpuMs, wanting }) => cpuMs > 50 && wanting.length > 0))
  const samples = read()
  expect(samples).toHaveLength(2)
  const [first, child] = samples as [(typeof samples)[0], (typeof samples)[0]]
  expect(first).toMatchObject({ pid: busy.pid, stopped: false, wanting: [] })
  expect(child).toMatchObject({ wanting: [child.pid], stopped: false })
  process.kill(-busy.pid, 'SIGSTOP')
  await until('both are stopped', () => read().every(({ stopped, wanting }) => stopped && wanting.length === 0))
  const [, held] = read()
  await Bun.sleep(50)
  expect(read()[1]).toEqual(held)
})

test('threads that are not the first are seen', async () => {
  // Sleeps are of the first thread of each; none wants anything.
  const idle = start('sleep 100')
  const read = groupReader(idle.pid)
  await until('it sleeps', () => read().every(({ wanting }) => wanting.length === 0))
  expect(read()[0]).toMatchObject({ pid: idle.pid, stopped: false })
  const worker = startChild({
    command: [process.execPath, '-e', 'new Worker("data:text/javascript,for(;;);"); setInterval(() => {}, 1000)'],
    env: {},
    onLine: () => {},
  })
  children.push(worker)
  const other = groupReader(worker.pid)
  await until('another thread works', () => other().some(({ pid, wanting }) => wanting.some((tid) => tid !== pid)))
}, 20_000)

test('of one that ended nothing is seen', async () => {
  const short = start('exit 0')
  await short.exited
  expect(groupReader(short.pid)()).toEqual([])
  expect(processStat(short.pid)).toBeUndefined()
  expect(processIds()).toContain(process.pid)
  expect(processIds('/nonexistent')).toEqual([])
  expect(processStat(process.pid)!.cpuMs).toBeGreaterThan(0)
})
