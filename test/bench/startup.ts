// Process start → /live answers, and → ready: the executable with the mock engine, page cache warm. With the main thread's CPU time until /live,
// which other work on the machine changes less than the clock's.
import { readFileSync } from 'node:fs'
import { freePort } from '../helpers/processes/sglang-server.ts'
import { productCommand } from '../helpers/processes/start.ts'

const rounds = Number(process.env.ROUNDS ?? 15)

async function answers(url: string): Promise<number> {
  for (;;) {
    const ok = await fetch(url)
      .then((response) => response.status === 200)
      .catch(() => false)
    if (ok) return performance.now()
    await Bun.sleep(1)
  }
}

const live: number[] = []
const ready: number[] = []
const cpu: number[] = []
for (let round = 0; round < rounds; round++) {
  const port = freePort()
  const began = performance.now()
  const flags = ['--engine', 'mock', '--model-path', 'models/tiny-llm', '--http-host', '127.0.0.1', '--http-port', String(port)]
  const child = Bun.spawn([...productCommand(), 'serve', ...flags], { stdout: 'ignore', stderr: 'ignore' })
  live.push((await answers(`http://127.0.0.1:${port}/live`)) - began)
  cpu.push(Number(readFileSync(`/proc/${child.pid}/schedstat`, 'utf8').split(' ')[0]) / 1e6)
  ready.push((await answers(`http://127.0.0.1:${port}/health`)) - began)
  child.kill('SIGKILL')
  await child.exited
}
const show = (values: number[]) => {
  values.sort((a, b) => a - b)
  return `min ${values[0]!.toFixed(1)} ms, median ${values[values.length >> 1]!.toFixed(1)} ms`
}
console.log(`/live: ${show(live)}; main thread's CPU: ${show(cpu)}\n/health: ${show(ready)} (${rounds} starts)`)
