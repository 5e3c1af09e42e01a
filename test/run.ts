// `bun run test`: builds the executable if a source has changed, runs every test the machine can run, names what it skips.
// With REQUIRE_ALL=1 (CI) types, lint and format are checked too and a skip is a failure. The last line is `N passed, N failed`.
// Where there is a real SGLang, a run of all runs two `bun test` side by side: one prints as it goes, what the other says of a file comes when the file is done.
import { freemem } from 'node:os'
import { join } from 'node:path'
import { sglangPython } from './helpers/sglang.ts'
import { laneFiles } from './lanes.ts'

const root = join(import.meta.dir, '..')
const strict = process.env.REQUIRE_ALL === '1'

interface Totals {
  passed: number
  failed: number
}

interface Ran extends Totals {
  skipped: number
  /** What the run printed on stderr. */
  said: string
}

/** Counts a step that is no test only when it fails. */
async function step(name: string, command: string[]): Promise<Totals> {
  const code = await Bun.spawn(command, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] }).exited
  if (code === 0) return { passed: 0, failed: 0 }
  console.error(`${name} failed`)
  return { passed: 0, failed: 1 }
}

/** One `bun test` with these files or filters. `quiet` prints what it says when it has ended, not as it goes. */
async function bunTest(chosen: readonly string[], quiet = false): Promise<Ran> {
  // Servers, models and real engines on two shared cores: a test that is slow is not wrong.
  const command = [process.execPath, 'test', '--timeout', '60000', ...chosen]
  const proc = Bun.spawn(command, { cwd: root, stdio: ['ignore', quiet ? 'pipe' : 'inherit', 'pipe'] })
  let said = ''
  const decoder = new TextDecoder()
  const heard = async (stream: ReadableStream<Uint8Array>, into: (text: string) => void) => {
    for await (const chunk of stream) {
      if (!quiet) process.stderr.write(chunk)
      into(decoder.decode(chunk, { stream: true }))
    }
  }
  const printed = proc.stdout instanceof ReadableStream ? new Response(proc.stdout).text() : ''
  await heard(proc.stderr, (text) => {
    said += text
  })
  const code = await proc.exited
  if (quiet) process.stderr.write(`${await printed}${said}`)
  const count = (word: string): number => Number([...said.matchAll(new RegExp(`^ *(\\d+) ${word}\\b`, 'gm'))].at(-1)?.[1] ?? 0)
  const skipped = count('skip') + count('todo')
  const failed = count('fail') + (strict ? skipped : 0)
  // A crash of the runner leaves no summary.
  return { passed: count('pass'), failed: code !== 0 && failed === 0 ? 1 : failed, skipped, said }
}

/** What a file with real engines may need: three of them and what they work with. */
const roomFor = 10e9
/**
 * How many processes may run such files at once. One: engines that start beside each other starve who asks them on two cores. With two the second is the one that is done with all
 * other tests, while there is memory for it; with three there is one more from the start.
 */
const most = Number(process.env.DYN_TEST_SGLANG ?? 1)

/** Every test file: those that start a real SGLang one after another, beside them the others, which print as they go. */
async function everything(): Promise<Ran[]> {
  const { sglang, others } = laneFiles(root)
  const ran: Ran[] = []
  const real = async (room = 0) => {
    while (sglang.length > 0)
      if (freemem() < room) await Bun.sleep(5000)
      else ran.push(await bunTest([sglang.shift()!], true))
  }
  const rest = async () => {
    ran.push(await bunTest(others))
    if (most > 1) await real(roomFor)
  }
  await Promise.all([real(), rest(), ...(most > 2 ? [real(roomFor)] : [])])
  return ran
}

async function tests(filters: readonly string[]): Promise<Totals> {
  const ran = filters.length === 0 && sglangPython() !== undefined ? await everything() : [await bunTest(filters)]
  const sum = (word: 'passed' | 'failed' | 'skipped') => ran.reduce((total, one) => total + one[word], 0)
  const said = ran.map((one) => one.said).join('\n')
  const missing = new Set([...said.matchAll(/^skipped: needs (.+)$/gm)].map((match) => match[1]))
  const skipped = sum('skipped')
  if (skipped > 0) console.error(`${skipped} skipped${missing.size === 0 ? '' : `; this machine lacks: ${[...missing].join(', ')}`}`)
  for (const [line] of said.matchAll(/^\((?:skip|todo)\) (?!.*\(unnamed\)).*$/gm)) console.error(`  ${line}`)
  // Once more where the output ends, which is all that some show of it.
  for (const [line] of said.matchAll(/^\(fail\) .*$/gm)) console.error(`  ${line}`)
  return { passed: sum('passed'), failed: sum('failed') }
}

const filters = process.argv.slice(2)
const results: Totals[] = [await step('build', [process.execPath, 'src/build/build.ts', '--if-stale'])]
if (strict) results.push(await step('check', [process.execPath, 'run', 'check']))
results.push(await tests(filters))
const total = results.reduce((sum, one) => ({ passed: sum.passed + one.passed, failed: sum.failed + one.failed }))
console.log(`${total.passed} passed, ${total.failed} failed`)
process.exit(total.failed === 0 ? 0 : 1)
