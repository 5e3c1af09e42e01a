// One model on several hosts: what the command line must say, and what each host's process is told.
import { expect, test } from 'bun:test'
import { workerOptions } from '../../../src/cli/deployment/process-options.ts'
import { parseSettings } from '../../../src/cli/settings/parse-settings.ts'
import { parse, refusal } from './parse.ts'

const whole = '--model-path m --nnodes 2 --dist-init-addr 10.0.0.1:5000'
const worker = (line: string) => parseSettings(line.split(' '), {}, 'worker')

test('the flags go to SGLang as they are', () => {
  const settings = worker(`${whole} --node-rank 1 --tp 2`)
  expect(settings.engineArgs.join(' ')).toBe(`${whole} --node-rank 1 --tp 2`)
  expect([settings.nnodes, settings.nodeRank, settings.distInitAddr]).toEqual([2, 1, '10.0.0.1:5000'])
})

test('a worker knows its node and its group; a model on one host has none', () => {
  expect(workerOptions(worker(`${whole} --node-rank=1`), {}).engine).toMatchObject({ nodes: { rank: 1, group: '10.0.0.1:5000' } })
  expect(workerOptions(worker('--model-path m'), {}).engine).not.toHaveProperty('nodes')
})

test('host 0 is a worker or serves', () => {
  expect(parse(whole).nodeRank).toBe(0)
  expect(worker(whole).nodeRank).toBe(0)
})

test.each([
  [`${whole} --node-rank 1`, '--node-rank', /'serve' takes requests.*'worker'.*--node-rank 1/],
  [`${whole} --node-rank 2`, '--node-rank', /the last one is 1/],
  ['--model-path m --nnodes 2', '--dist-init-addr', /HOST:PORT, the same on every host/],
  ['--model-path m --node-rank 1', '--node-rank', /with --nnodes 1 the last one is 0/],
  ['--engine mock --nnodes 2 --dist-init-addr a:1', '--nnodes', /needs --engine sglang/],
  [`${whole} --workers 2`, '--workers', /is one engine/],
])('serve %s', (line, param, message) => {
  const error = refusal(line)
  expect(error.message).toMatch(message)
  expect(error.param).toBe(param)
})
