// Finished frames in shared memory: a file that SGLang's worker wrote, mapped here and without a name from then on, so that no crash leaves it behind.
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { type Frames, framesIn } from '../../../media/frames.ts'

const prefix = 'dsgl-frames-'

/** Maps the file and removes its name. Its memory is given back when nobody refers to a frame any more. Throws when the file is not as told. */
export function mapFrames(path: string, count: number, height: number, width: number): Frames {
  const bytes = Bun.mmap(path, { shared: true })
  rmSync(path, { force: true })
  const size = count * height * width * 3
  if (bytes.length !== size) throw new Error(`frames of ${bytes.length} bytes instead of ${size}`)
  return framesIn(bytes, { format: 'rgb24', width, height, count })
}

/** A folder of this user for one engine's frames. Its name tells our process, so that a later start removes it when that process is gone. */
export function makeFrameFolder(parent: string): string {
  for (const name of readdirSync(parent)) {
    const owner = name.startsWith(prefix) ? Number(name.slice(prefix.length).split('-')[0]) : Number.NaN
    const path = join(parent, name)
    if (Number.isNaN(owner) || statSync(path, { throwIfNoEntry: false })?.uid !== process.getuid?.()) continue
    if (owner !== process.pid && !alive(owner)) rmSync(path, { recursive: true, force: true })
  }
  return mkdtempSync(join(parent, `${prefix}${process.pid}-`))
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
