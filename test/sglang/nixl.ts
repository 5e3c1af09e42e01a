// NIXL in the CPU venv: SGLang registers KV as GPU memory, which there is none of, so its NIXL code is told that KV lies in host memory.
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

const files = ['sglang/srt/disaggregation/nixl/conn.py', 'sglang/srt/disaggregation/decode.py']
/** Expert-parallel kernels (90 MB) that nothing runs here. */
const unused = 'nixl_ep_cu13'

/** Changes an installed SGLang (and nothing but these two files of it) to move KV between host memories. Can be run again. */
export function nixlOnHostMemory(sitePackages: string): void {
  for (const file of files) {
    const path = join(sitePackages, file)
    writeFileSync(path, readFileSync(path, 'utf8').replaceAll('"VRAM"', '"DRAM"'))
  }
  rmSync(join(sitePackages, unused), { recursive: true, force: true })
}

/** Whether the SGLang of this Python can move KV over NIXL on a machine without a GPU. */
export function hasHostNixl(python: string | undefined): boolean {
  if (python === undefined) return false
  const lib = join(dirname(dirname(python)), 'lib')
  if (!existsSync(lib)) return false
  return readdirSync(lib).some((version) => {
    const site = join(lib, version, 'site-packages')
    const conn = join(site, files[0]!)
    return existsSync(join(site, 'nixl')) && existsSync(conn) && !readFileSync(conn, 'utf8').includes('"VRAM"')
  })
}
