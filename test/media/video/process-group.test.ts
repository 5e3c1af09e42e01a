import { expect, test } from 'bun:test'
import { readdirSync, readFileSync } from 'node:fs'
import { textOf } from '../../../src/media/video/process-group.ts'

const sh = (script: string, limitMs?: number) => textOf(['/bin/sh', '-c', script], limitMs, 100)
const alive = (...command: string[]) => commandLines().includes(`${command.join('\0')}\0`)

function commandLines(): string[] {
  return readdirSync('/proc').flatMap((pid) => {
    try {
      return /^\d+$/.test(pid) ? [readFileSync(`/proc/${pid}/cmdline`, 'utf8')] : []
    } catch {
      // It has ended since.
      return []
    }
  })
}

test('what it writes, and how it fails', async () => {
  expect(await sh('printf "one\\ntwo"')).toBe('one\ntwo')
  await expect(sh('echo no; exit 3')).rejects.toThrow('exit code 3')
})

test('a script whose child hangs and holds the pipe ends at the limit, with the child', async () => {
  await expect(sh('sleep 1000.625; echo never', 200)).rejects.toThrow('it took longer than 0.2 seconds')
  expect(alive('sleep', '1000.625')).toBe(false)
})

test('what a script leaves behind is not waited for', async () => {
  expect(await sh('echo done; sleep 5.375 &')).toBe('done\n')
  expect(alive('sleep', '5.375')).toBe(true)
})
