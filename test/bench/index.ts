// The KV index: match of a 32k prompt, events, memory. `bun test/bench/index.ts [--blocks 1e6,1e7] [--workers 8,512] [--dynamo PYTHON] [--json FILE]`
// With a Python that has Dynamo's wheel, its RadixTree takes turns with ours, each case in a process of its own. CPU time, not wall time.
import { join } from 'node:path'
import { parseArgs } from 'node:util'

const { values } = parseArgs({
  options: {
    blocks: { type: 'string', default: '1e6' },
    workers: { type: 'string', default: '8,512' },
    rounds: { type: 'string', default: '1' },
    dynamo: { type: 'string' },
    json: { type: 'string' },
  },
})
const numbers = (list: string) => list.split(',').map(Number)
const folder = join(import.meta.dir, 'index')
const contenders = [[process.execPath, join(folder, 'ours.ts')]]
if (values.dynamo !== undefined) contenders.push([values.dynamo, join(folder, 'radix_tree.py')])

const rows: Record<string, string | number>[] = []
for (const blocks of numbers(values.blocks))
  for (const workers of numbers(values.workers))
    for (let round = 0; round < Number(values.rounds); round++)
      for (const command of contenders) {
        const run = Bun.spawnSync([...command, String(blocks), String(workers)], { stdio: ['ignore', 'pipe', 'inherit'] })
        if (!run.success) throw new Error(`${command.join(' ')} failed`)
        rows.push(JSON.parse(run.stdout.toString()))
      }
console.table(rows)
if (values.json !== undefined) await Bun.write(values.json, `${JSON.stringify(rows, null, 2)}\n`)
