// Children and their children: output by lines, nothing left behind, restarts with growing pauses.
import { expect, test } from 'bun:test'
import { existsSync } from 'node:fs'
import { keepAlive, restartDelayMs, startChild } from '../../src/engine/supervisor.ts'
import { need } from '../helpers/need.ts'

const env = { PATH: process.env.PATH ?? '/usr/bin:/bin' }

/** True while the process exists and is no zombie. */
async function alive(pid: number): Promise<boolean> {
  const stat = await Bun.file(`/proc/${pid}/stat`)
    .text()
    .catch(() => '')
  return stat !== '' && stat.split(') ')[1]?.[0] !== 'Z'
}

async function gone(pid: number): Promise<void> {
  while (await alive(pid)) await Bun.sleep(5)
}

test('lines of stdout and stderr arrive whole, progress bars included, and the last are kept', async () => {
  const lines: string[] = []
  const child = startChild({
    command: ['sh', '-c', 'printf "one\\ntw"; printf "o\\n"; printf "10%%\\r20%%\\n\\nlast" >&2; exit 3'],
    env,
    onLine: (line) => lines.push(line),
  })
  expect(await child.exited).toEqual({ code: 3, signal: null })
  expect(lines.sort()).toEqual(['10%', '20%', 'last', 'one', 'two'])
  expect(child.lastLines().sort()).toEqual(lines)
  expect(child.running).toBe(false)
})

test('a program that does not exist throws', () => {
  expect(() => startChild({ command: ['/no/such/program'], env, onLine() {} })).toThrow()
})

/** A child with a grandchild that ignores SIGTERM; both are running when this resolves. */
async function withGrandchild(trap: string, script: string) {
  let told: (pid: number) => void = () => {}
  const grandchild = new Promise<number>((done) => (told = done))
  const child = startChild({
    command: ['bash', '-c', `${trap}; (trap "" TERM; while :; do sleep 0.1; done) & echo $!; ${script}`],
    env,
    onLine: (line) => told(Number(line)),
  })
  return { child, grandchild: await grandchild }
}

test('when the first process dies, its children are killed too', async () => {
  const { child, grandchild } = await withGrandchild(':', 'sleep 0.1; exit 1')
  expect((await child.exited).code).toBe(1)
  await gone(grandchild)
})

test('stop: SIGTERM first, the whole group at the deadline', async () => {
  const polite = await withGrandchild('trap "exit 7" TERM', 'while :; do sleep 0.02; done')
  expect((await polite.child.stop(5000)).code).toBe(7)
  await gone(polite.grandchild)
  const deaf = await withGrandchild('trap "" TERM', 'while :; do sleep 0.02; done')
  expect((await deaf.child.stop(50)).signal).toBe('SIGKILL')
  await gone(deaf.grandchild)
})

test('a process that exits by itself takes its children along', async () => {
  const module = new URL('../../src/engine/supervisor.ts', import.meta.url).pathname
  const owner = Bun.spawn(
    [
      process.execPath,
      '-e',
      `import { startChild } from ${JSON.stringify(module)}
       const child = startChild({ command: ['sleep', '1000'], env: ${JSON.stringify(env)}, onLine() {} })
       console.log(child.pid); process.exit(0)`,
    ],
    { stdout: 'pipe' },
  )
  await gone(Number(await new Response(owner.stdout).text()))
})

test('pauses between restarts grow to half a minute', () => {
  expect([0, 1, 2, 3, 7, 50].map(restartDelayMs)).toEqual([0, 500, 1000, 2000, 30_000, 30_000])
})

test('what dies is started again; failed starts are tried again; end stops it', async () => {
  const events: string[] = []
  let kill: (reason: string) => void = () => {}
  const next = () => ({ died: new Promise<string>((done) => (kill = done)) })
  let starts = 0
  let served: () => void = () => {}
  const first = next()
  const kept = keepAlive(
    {
      async start() {
        starts++
        if (starts === 1) throw new Error('no memory')
        served()
        return next()
      },
      onDown: (reason, delayMs) => events.push(`${reason} ${delayMs}`),
    },
    first.died,
  )
  const again = new Promise<void>((done) => (served = done))
  kill('crashed')
  await again
  expect(events).toEqual(['crashed 0', 'no memory 500'])
  kept.end()
  kill('stopped')
  await Bun.sleep(5)
  expect(starts).toBe(2)
})

const python = Bun.which('python3')
test.skipIf(!need('python3', python !== null))(
  'what Python processes keep in /dev/shm goes with them, however they are ended',
  async () => {
    const script = `
import multiprocessing, multiprocessing.resource_tracker as tracking, signal, time
lock = multiprocessing.get_context("spawn").Lock()
signal.signal(signal.SIGTERM, signal.SIG_IGN)
while not open(f"/proc/{tracking._resource_tracker._pid}/cmdline").read():
    time.sleep(0.01)
print(lock._semlock.name, flush=True)
time.sleep(100)`
    const start = async () => {
      const said = Promise.withResolvers<string>()
      const lines: string[] = []
      const onLine = (line: string) => {
        lines.push(line)
        said.resolve(line)
      }
      const child = startChild({ command: [python!, '-c', script], env, onLine })
      const file = `/dev/shm/sem.${(await said.promise).slice(1)}`
      expect(existsSync(file)).toBe(true)
      return { child, file, lines }
    }
    const ended = await start()
    await ended.child.stop(0)
    expect(existsSync(ended.file)).toBe(false)
    const killed = await start()
    process.kill(killed.child.pid, 'SIGKILL')
    await killed.child.exited
    expect(existsSync(killed.file)).toBe(false)
    // Nor a word of it.
    expect(ended.lines.length + killed.lines.length).toBe(2)
  },
)
