// Workers die every second, or join and leave, under hundreds of streams. Short here; SOAK_SECS and SOAK_STREAMS make it as long and wide as wanted.
import { afterEach, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { type Fleet, startFleet } from '../helpers/processes/fleet.ts'
import { until } from '../helpers/run-request.ts'
import { bookedNow, type ChurnReport, churn } from './churn.ts'

const secs = Number(process.env.SOAK_SECS ?? 6)
const streams = Number(process.env.SOAK_STREAMS ?? 200)
const limitMs = (secs + 180) * 1000
const fleets: Fleet[] = []
afterEach(async () => {
  for (const fleet of fleets.splice(0)) await fleet.stop()
}, 60_000)

function tell(name: string, report: ChurnReport): void {
  const { failed, wrong, ...rest } = report
  console.log(`${name}: ${JSON.stringify({ ...rest, failed: failed.length, wrong: wrong.length })}`)
}

async function run(streams: number, how: 'kill' | 'leave', everyMs: number): Promise<void> {
  const fleet = startFleet()
  fleets.push(fleet)
  const { url, pid } = await fleet.frontend(['--dyn-log-level', 'warn'])
  const rss = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) / 1024
  const workerArgs = ['--speedup-ratio', '0.3']
  const sizes: number[] = []
  const measuring = setInterval(() => sizes.push(Math.round(rss())), (secs * 1000) / 8)
  const report = await churn({ fleet, url, streams, workers: 4, ms: secs * 1000, everyMs, how, maxTokens: 80, workerArgs })
  clearInterval(measuring)
  tell(`${streams} streams, ${how} every ${everyMs} ms, frontend ${sizes.join(' ')} MB`, report)
  expect(report.failed).toEqual([])
  expect(report.wrong).toEqual([])
  expect(report.events).toBeGreaterThan(0)
  expect(report.answers).toBeGreaterThan(streams / 2)
  if (how === 'kill') expect(report.migrations).toBeGreaterThan(0)
  await until('every booking is given back', async () => (await bookedNow(url)) === 0)
}

test('a worker is killed every second: every answer is whole and the same', () => run(streams, 'kill', 1000), limitMs)
test('workers join and leave: nothing is lost, nothing stays booked', () => run(streams, 'leave', 1500), limitMs)
