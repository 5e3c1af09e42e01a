// Command lines and settings files, as the tests of settings write them.
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseSettings } from '../../../src/cli/settings/parse-settings.ts'
import type { Settings } from '../../../src/cli/settings/settings.ts'
import { AppError } from '../../../src/lib/errors.ts'

/** The settings of `serve`. */
export const parse = (line: string, env: Record<string, string> = {}): Settings =>
  parseSettings(line.split(' ').filter(Boolean), env, 'serve')

/** The error a command line gives. */
export function refusal(line: string, env: Record<string, string> = {}): AppError {
  try {
    parse(line, env)
  } catch (thrown) {
    if (thrown instanceof AppError) return thrown
    throw thrown
  }
  throw new Error(`'${line}' was accepted`)
}

/** The path of a fresh file. */
export function file(name: string, content: string): string {
  const path = join(mkdtempSync(join(tmpdir(), 'settings-')), name)
  writeFileSync(path, content)
  return path
}
