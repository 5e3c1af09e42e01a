// `bun run bench [NAME…] [--OPTION …]`: the benches of this folder one after another, each in a process of its own; without names, all. Options are theirs
// (`--save`, `--json FILE`: see each). Numbers, no verdicts.
import { basename, join } from 'node:path'

const folder = import.meta.dir
const known = [...new Bun.Glob('*.ts').scanSync({ cwd: folder })]
  .map((file) => basename(file, '.ts'))
  .filter((name) => name !== 'run')
  .sort()
const words = process.argv.slice(2)
const option = words.findIndex((word) => word.startsWith('--'))
const asked = option < 0 ? words : words.slice(0, option)
const options = words.slice(asked.length)
const names = asked.length > 0 ? asked : known
const unknown = names.filter((name) => !known.includes(name))
if (unknown.length > 0) {
  console.error(`no bench ${unknown.join(', ')}; there are: ${known.join(', ')}`)
  process.exit(2)
}
let failed = 0
for (const name of names) {
  console.log(`\n== ${name} ==`)
  failed += Bun.spawnSync([process.execPath, join(folder, `${name}.ts`), ...options], { stdio: ['ignore', 'inherit', 'inherit'] }).success
    ? 0
    : 1
}
process.exit(failed === 0 ? 0 : 1)
