// `bun run test`: builds the executable if a source has changed, runs every test the machine can run, names what it skips.
// With REQUIRE_ALL=1 (CI) types, lint and format are checked too and a skip is a failure. The last line is `N passed, N failed`.
import { join } from 'node:path'

const root = join(import.meta.dir, '..')
const strict = process.env.REQUIRE_ALL === '1'

interface Totals {
  passed: number
  failed: number
}

/** Counts a step that is no test only when it fails. */
async function step(name: string, command: string[]): Promise<Totals> {
  const code = await Bun.spawn(command, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] }).exited
  if (code === 0) return { passed: 0, failed: 0 }
  console.error(`${name} failed`)
  return { passed: 0, failed: 1 }
}

async function tests(filters: readonly string[]): Promise<Totals> {
  // Servers, models and real engines on two shared cores: a test that is slow is not wrong.
  const command = [process.execPath, 'test', '--timeout', '60000', ...filters]
  const proc = Bun.spawn(command, { cwd: root, stdio: ['ignore', 'inherit', 'pipe'] })
  let seen = ''
  const decoder = new TextDecoder()
  for await (const chunk of proc.stderr) {
    process.stderr.write(chunk)
    seen += decoder.decode(chunk, { stream: true })
  }
  const code = await proc.exited
  const count = (word: string): number => Number([...seen.matchAll(new RegExp(`^ *(\\d+) ${word}\\b`, 'gm'))].at(-1)?.[1] ?? 0)
  const skipped = count('skip') + count('todo')
  const missing = new Set([...seen.matchAll(/^skipped: needs (.+)$/gm)].map((match) => match[1]))
  if (skipped > 0) console.error(`${skipped} skipped${missing.size === 0 ? '' : `; this machine lacks: ${[...missing].join(', ')}`}`)
  for (const [line] of seen.matchAll(/^\((?:skip|todo)\) (?!.*\(unnamed\)).*$/gm)) console.error(`  ${line}`)
  const failed = count('fail') + (strict ? skipped : 0)
  // A crash of the runner leaves no summary.
  return { passed: count('pass'), failed: code !== 0 && failed === 0 ? 1 : failed }
}

const filters = process.argv.slice(2)
const results: Totals[] = [await step('build', [process.execPath, 'src/build/build.ts', '--if-stale'])]
if (strict) results.push(await step('check', [process.execPath, 'run', 'check']))
results.push(await tests(filters))
const total = results.reduce((sum, one) => ({ passed: sum.passed + one.passed, failed: sum.failed + one.failed }))
console.log(`${total.passed} passed, ${total.failed} failed`)
process.exit(total.failed === 0 ? 0 : 1)
