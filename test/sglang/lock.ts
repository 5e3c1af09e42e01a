// One holder at a time across processes: a file with the holder's pid; a dead holder's file is taken over.
import { readFileSync, rmSync, writeFileSync } from 'node:fs'

/** Runs `work` while holding `path`; waits for another live holder, telling it once. */
export async function locked<T>(path: string, tell: (holder: number) => void, work: () => Promise<T>): Promise<T> {
  let told = false
  while (!take(path)) {
    const holder = Number(read(path))
    if (holder > 0 && !alive(holder)) {
      rmSync(path, { force: true })
      continue
    }
    if (!told) tell(holder)
    told = true
    await Bun.sleep(500)
  }
  try {
    return await work()
  } finally {
    rmSync(path, { force: true })
  }
}

function take(path: string): boolean {
  try {
    writeFileSync(path, String(process.pid), { flag: 'wx' })
    return true
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw thrown
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
