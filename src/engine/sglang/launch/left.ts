// What an engine that was killed left in shared memory and in the folder for temporary files, by the names that its bridge noted (bridge/left.py) and no others.
import { lstatSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { basename, join } from 'node:path'

/** Names that SGLang gives: a file for the loads of one engine, the folders of one diffusion engine's requests. */
const known = /^(?:sglang_loads_[\w.-]+\.shm|sgldiffusion-request-[0-9a-f]{16}_\*)$/

/** Python's tempfile names files so. */
const temporary = /^tmp[a-z0-9_]{8}$/

/** Removes what the file `left` of a socket folder names; to be called when none of the engine's processes is left. `memory`: tests have their own. */
export function removeLeft(sockets: string, memory = '/dev/shm'): void {
  let lines: string[]
  try {
    lines = [...new Set(readFileSync(join(sockets, 'left'), 'utf8').split('\n'))]
  } catch {
    return // SGLang never came so far, or this release leaves nothing.
  }
  for (const path of lines) if (path.startsWith('/') && temporary.test(basename(path)) && isSocketOrEmpty(path)) remove(path)
  const names = lines.filter((line) => line.startsWith('/dev/shm/')).map((line) => line.slice('/dev/shm/'.length))
  for (const name of names.filter((name) => known.test(name)))
    for (const found of name.endsWith('*') ? startingWith(memory, name.slice(0, -1)) : [name]) remove(join(memory, found))
}

function startingWith(folder: string, prefix: string): string[] {
  return readdirSync(folder).filter((name) => name.startsWith(prefix))
}

/** A socket's name is made as an empty file first, and some are never bound. */
function isSocketOrEmpty(path: string): boolean {
  const stat = lstatSync(path, { throwIfNoEntry: false })
  return stat !== undefined && (stat.isSocket() || (stat.isFile() && stat.size === 0))
}

function remove(path: string): void {
  try {
    rmSync(path, { recursive: true, force: true })
  } catch {
    // Another user's, or gone while we looked: an engine's end must not fail for it.
  }
}
