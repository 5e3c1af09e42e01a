// Whose a job file is: a process that was killed is no owner any more, also before its parent has looked.
import { expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { alive, thisOwner } from '../../../../src/pipeline/media/jobs/owner.ts'
import { until } from '../../../helpers/run-request.ts'

const stateOf = (pid: number) => readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]![0]

test('this process lives; another life of the same number does not', () => {
  expect(alive(thisOwner())).toBe(true)
  expect(alive({ ...thisOwner(), born: '1' })).toBe(false)
})

test('a zombie is dead', async () => {
  // The shell's child ends at once, and the shell, which became `sleep`, never asks for it.
  const parent = Bun.spawn(['sh', '-c', 'sh -c "sleep 0.2" & echo $!; exec sleep 30'], { stdout: 'pipe' })
  const { value } = await parent.stdout.getReader().read()
  const pid = Number(new TextDecoder().decode(value))
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const owner = { pid, born: stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]! }
  expect(alive(owner)).toBe(true)
  await until('it is a zombie', () => stateOf(pid) === 'Z')
  expect(alive(owner)).toBe(false)
  parent.kill()
})
