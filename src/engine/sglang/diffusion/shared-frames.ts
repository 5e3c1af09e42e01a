// Finished frames in shared memory: a file that SGLang's worker wrote, mapped here and without a name from then on, so that no crash leaves it behind.
import { mkdtempSync, readdirSync, readlinkSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { type Frames, framesIn } from '../../../media/frames.ts'

const prefix = 'dsgl-frames-'
const named = /^dsgl-frames-(\d+)-(\d+)-/
const foreignMs = 24 * 3_600_000

/** Maps the file and removes its name. Its memory is given back when nobody refers to a frame any more. Throws when the file is not as told. */
export function mapFrames(path: string, count: number, height: number, width: number): Frames {
  const bytes = Bun.mmap(path, { shared: true })
  rmSync(path, { force: true })
  const size = count * height * width * 3
  if (bytes.length !== size) throw new Error(`frames of ${bytes.length} bytes instead of ${size}`)
  return framesIn(bytes, { format: 'rgb24', width, height, count })
}

/**
 * A folder of this user for one engine's frames. Its name tells our process, so that a later start removes it when that process is gone. Containers may share the parent, and
 * a process of another one cannot be asked for here: its folder stays until nothing has come into it for a day.
 */
export function makeFrameFolder(parent: string): string {
  const container = processNamespace()
  for (const name of readdirSync(parent)) {
    const [, home, owner] = named.exec(name) ?? []
    if (home === undefined) continue
    const path = join(parent, name)
    const stat = statSync(path, { throwIfNoEntry: false })
    if (stat === undefined || stat.uid !== process.getuid?.()) continue
    const left = home === container ? Number(owner) !== process.pid && !alive(Number(owner)) : Date.now() - stat.mtimeMs > foreignMs
    if (left) rmSync(path, { recursive: true, force: true })
  }
  return mkdtempSync(join(parent, `${prefix}${container}-${process.pid}-`))
}

/** The kernel's number of what process numbers are counted in; 0 where there is no /proc. */
function processNamespace(): string {
  try {
    return /\d+/.exec(readlinkSync('/proc/self/ns/pid'))?.[0] ?? '0'
  } catch {
    return '0' // Not Linux: there are no such containers.
  }
}

/** Removes what a job has left: frames that were written and never taken. */
export function dropFrames(folders: readonly string[], job: number): void {
  for (const folder of folders) {
    for (const name of readdirSync(folder)) if (name.startsWith(`${job}-`)) rmSync(join(folder, name), { force: true })
  }
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (thrown) {
    return (thrown as { code?: string }).code === 'EPERM'
  }
}
