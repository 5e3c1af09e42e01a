// A program that stands where SGLang's Python stands and runs the fake bridge instead.
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Writes it into `folder`; returns its path. It is called as `python -u <bridge folder> <SGLang's arguments>`. */
export function fakePython(folder: string): string {
  const path = join(folder, 'python')
  writeFileSync(path, `#!/bin/sh\nshift 2\nexec '${process.execPath}' '${join(import.meta.dir, 'fake-bridge.ts')}' "$@"\n`)
  chmodSync(path, 0o755)
  return path
}
