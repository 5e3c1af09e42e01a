// The folder of one engine's sockets. A process that was killed cannot remove its own, so each start removes those that nobody serves any more.
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { removeLeft } from './left.ts'

const prefix = 'dsgl-'
/** A folder without a socket is one that is being made, unless it is this old. */
const newMs = 3_600_000

/** Where channel B listens in it; it is bound for as long as the engine lives. */
export function rowSocket(folder: string): string {
  return join(folder, 'b')
}

/** Makes a folder of our own in `tmpDir` (this user only) and removes those that killed processes of this user left there. */
export async function makeSocketFolder(tmpDir: string): Promise<string> {
  await Promise.all(
    readdirSync(tmpDir)
      .filter((name) => name.startsWith(prefix))
      .map(async (name) => {
        const path = join(tmpDir, name)
        if (await isLeft(path)) removeSocketFolder(path)
      }),
  )
  return mkdtempSync(join(tmpDir, prefix))
}

/** With what its engine left elsewhere; none of its processes may be left. */
export function removeSocketFolder(folder: string): void {
  removeLeft(folder)
  rmSync(folder, { recursive: true, force: true })
}

/** Asked of the socket itself, because a process id of another container says nothing here. */
async function isLeft(path: string): Promise<boolean> {
  const stat = statSync(path, { throwIfNoEntry: false })
  if (!stat?.isDirectory() || stat.uid !== process.getuid?.()) return false
  if (!statSync(rowSocket(path), { throwIfNoEntry: false })) return Date.now() - stat.mtimeMs > newMs
  try {
    const socket = await Bun.connect({ unix: rowSocket(path), socket: { data() {} } })
    socket.end()
    return false
  } catch (thrown) {
    return (thrown as { code?: string }).code === 'ECONNREFUSED'
  }
}
