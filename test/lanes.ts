// What a whole `bun run test` does side by side: a start of a real SGLang works on one core most of the time, most other tests wait; so one process takes the files with
// real engines, one after another, the other one all the rest.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** Whoever starts a real SGLang, or runs its code for long, gives it the environment of an engine on CPU, or uses what does. */
const startsSglang =
  /\b(startSglangServer|cpuEnv|cpuArgs|vlArgs|cpuDiffusion|diffusionPython|canRunReal|benchServing|aiperf)\b|\/fleet-sglang\//

/** Taken first, longest first: what is long must not be what everything waits for in the end. */
const longest = [
  'engine/sglang/sglang.test.ts',
  'e2e/families-sglang.test.ts',
  'engine/vision/split.test.ts',
  'interop/vision-split.test.ts',
  'engine/sglang/disagg.test.ts',
  'interop/fleet-sglang.test.ts',
  'engine/sglang/vision.test.ts',
  'engine/sglang/bridge/checks.test.ts',
  'interop/dllm.test.ts',
  'interop/sglang-equality.test.ts',
  'engine/sglang/diffusion/life.test.ts',
]

/** All test files, as bun takes them: those that start a real SGLang, the longest first, and the others. */
export function laneFiles(root: string): { sglang: string[]; others: string[] } {
  const files = [...new Bun.Glob('test/**/*.test.ts').scanSync({ cwd: root })].sort()
  const sglang = files.filter((file) => startsSglang.test(readFileSync(join(root, file), 'utf8')))
  const others = files.filter((file) => !sglang.includes(file))
  const first = longest.map((file) => `test/${file}`).filter((file) => sglang.includes(file))
  const paths = (list: string[]) => list.map((file) => `./${file}`)
  return { sglang: paths([...first, ...sglang.filter((file) => !first.includes(file))]), others: paths(others) }
}
