// A child's memory ends at its bound: by the kernel, and by looking where the kernel cannot be asked.
import { expect, test } from 'bun:test'
import { limitMemory, watchMemory } from '../../../../src/media/input/clip/memory.ts'

const most = 100e6
/** Keeps all it is given, since it must not end before the last line: 400 MB, were it let. */
const greedy = () =>
  Bun.spawn(['sh', '-c', 'read go; head -c 400000000 /dev/zero | tail -n 1 | wc -c'], { stdio: ['pipe', 'pipe', 'ignore'], detached: true })
const go = (child: ReturnType<typeof greedy>) => {
  child.stdin.write('go\n')
  child.stdin.end()
}

test.if(process.platform === 'linux')('the kernel gives it no more, nor what it starts', async () => {
  const child = greedy()
  expect(limitMemory(child.pid, most)).toBe(true)
  go(child)
  expect(Number(await child.stdout.text())).toBeLessThan(400_000_000)
  await child.exited
})

test.if(process.platform === 'linux')('a limit for a process that is not there', () => {
  expect(limitMemory(2 ** 30, most)).toBe(false)
})

test.if(process.platform === 'linux')('a look at it tells when it is over, once', async () => {
  const { promise, resolve } = Promise.withResolvers<void>()
  let told = 0
  // This process itself has more than that in memory.
  const stop = watchMemory(process.pid, 1e6, () => {
    told++
    resolve()
  })
  await promise
  await Bun.sleep(100)
  stop()
  expect(told).toBe(1)
})
