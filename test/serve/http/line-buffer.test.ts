// Lines that wait are written together, soon, and before the process exits.
import { expect, test } from 'bun:test'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pino from 'pino'
import { bufferedLog } from '../../../src/serve/http/line-buffer.ts'

const module = join(import.meta.dir, '../../../src/serve/http/line-buffer.ts')

test('lines arrive in order, a little later', async () => {
  const file = join(tmpdir(), `lines-${crypto.randomUUID()}`)
  const fd = openSync(file, 'w')
  const log = bufferedLog(pino({ level: 'info' }), fd)
  log.info({ n: 1 }, 'a')
  log.debug('not at this level')
  log.info({ n: 2 }, 'b')
  expect(readFileSync(file, 'utf8')).toBe('')
  while (readFileSync(file, 'utf8') === '') await Bun.sleep(10)
  const lines = readFileSync(file, 'utf8').trim().split('\n')
  expect(lines.map((line) => JSON.parse(line).n)).toEqual([1, 2])
  closeSync(fd)
})

test('an exit loses nothing', async () => {
  const script = `import pino from 'pino'; import { bufferedLog } from '${module}'; bufferedLog(pino({level:'info'}), 1).info('last words'); process.exit(3)`
  const child = Bun.spawn([process.execPath, '-e', script], { stdout: 'pipe', cwd: join(import.meta.dir, '../../..') })
  expect(await new Response(child.stdout).text()).toContain('last words')
  expect(await child.exited).toBe(3)
})
