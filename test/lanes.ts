// What a whole `bun run test` does side by side: files that start a real SGLang wait most of their time for one core, the others fill the rest.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** What such a file asks for. */
const startsSglang = /\b(sglangPython|diffusionPython|canRunReal|realPython|hasHostNixl|benchServing|aiperf)\b|\/fleet-sglang\//

/** Taken first: what is long must not be what everything waits for in the end. */
const longest = [
  'engine/sglang/bridge/checks.test.ts',
  'engine/sglang/disagg.test.ts',
  'engine/sglang/sglang.test.ts',
  'engine/sglang/diffusion/life.test.ts',
  'interop/fleet-sglang.test.ts',
  'interop/dllm.test.ts',
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
