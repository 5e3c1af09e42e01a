// `bun test/interop/setup.ts`: installs the load clients that test/interop/bench-clients.test.ts runs (aiperf, and what sglang.bench_serving needs)
// into the user's cache, so that clean clones share them. A folder that is complete stays as it is.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { aiperfVenv, benchServingExtra } from '../helpers/clients.ts'
import { sglangPython } from '../helpers/sglang.ts'
import { install } from '../sglang/install.ts'

/** Versions that the tests were seen to pass with. */
const aiperfPin = 'aiperf==0.13.0'
/** `datasets` and what it imports; without dependency resolution, so that nothing here hides a package of the SGLang environment. */
const benchServingPins =
  'datasets==5.2.0 multiprocess==0.70.19 pandas==3.1.1 pyarrow==26.0.1 python-dateutil==2.9.0.post0 six==1.17.0 tzdata==2026.6 xxhash==4.1.0'.split(
    ' ',
  )

async function step(command: string[]): Promise<void> {
  console.log(command.join(' '))
  const code = await Bun.spawn(command, { stdio: ['ignore', 'inherit', 'inherit'] }).exited
  if (code !== 0) throw new Error(`exited with ${code}: ${command.join(' ')}`)
}

const venv = aiperfVenv()
if (!existsSync(join(venv, 'bin/aiperf'))) {
  await step(['python3', '-m', 'venv', venv])
  console.log(aiperfPin)
  install(join(venv, 'bin/python'), [aiperfPin])
}
const python = sglangPython()
if (python === undefined) console.log('no python with SGLang: run `bun run sglang:setup` first, then this again for sglang.bench_serving')
else if (!existsSync(join(benchServingExtra(), 'datasets'))) {
  console.log(benchServingPins.join(' '))
  install(python, ['--no-deps', '--target', benchServingExtra(), ...benchServingPins])
}
console.log('ready')
