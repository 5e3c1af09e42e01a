// What an engine that was killed left in shared memory, by the names that its bridge noted (bridge/left.py) and no others.
import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'

/** Names that SGLang gives: a file for the loads of one engine, the folders of one diffusion engine's requests. */
const known = /^(?:sglang_loads_[\w.-]+\.shm|sgldiffusion-request-[0-9a-f]{16}_\*)$/

/** Removes what the file `left` of a socket folder names; to be called when none of the engine's processes is left. `memory`: tests have their own. */
export function removeLeft(sockets: string, memory = '/dev/shm'): void {
  let names: string[]
  try {
    const lines = readFileSync(join(sockets, 'left'), 'utf8').split('\n')
    names = [...new Set(lines.filter((line) => line.startsWith('/dev/shm/')).map((line) => line.slice('/dev/shm/'.length)))]
  } catch {
    return // SGLang never came so far, or this release leaves nothing.
  }
  for (const name of names.filter((name) => known.test(name)))
    for (const found of name.endsWith('*') ? startingWith(memory, name.slice(0, -1)) : [name]) remove(join(memory, found))
}

function startingWith(folder: string, prefix: string): string[] {
  return readdirSync(folder).filter((name) => name.startsWith(prefix))
}

function remove(path: string): void {
  try {
    rmSync(path, { recursive: true, force: true })
  } catch {
    // Another user's, or gone while we looked: an engine's end must not fail for it.
  }
}
