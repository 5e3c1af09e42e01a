import { expect, test } from 'bun:test'
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { render } from '../../../src/cli/doctor/finding.ts'
import {
  checkCache,
  checkGpu,
  checkLimits,
  checkModel,
  checkPort,
  checkProcesses,
  checkPython,
  checkShm,
  sglangProcesses,
} from '../../../src/cli/doctor/machine.ts'

const folder = (): string => mkdtempSync(join(tmpdir(), 'doctor-'))

function files(names: string[]): string {
  const path = folder()
  for (const name of names) writeFileSync(join(path, name), '')
  return path
}

test('GPUs: none, fine, nearly full, hidden', () => {
  expect(checkGpu(undefined, '/no/driver').advice).toContain('--engine mock')
  expect(checkGpu('NVIDIA H200, 143771, 4, 570.1\n')).toEqual({
    level: 'ok',
    what: '1 GPU(s): NVIDIA H200, 4 of 143771 MiB used, driver 570.1',
  })
  expect(checkGpu('NVIDIA H200, 143771, 140000, 570.1\n').advice).toContain('more than half full')
  expect(checkGpu('NVIDIA H200, 143771, 4, 570.1\n', undefined, '').advice).toContain('CUDA_VISIBLE_DEVICES')
})

test('Python: missing, without SGLang, with an old one, right', () => {
  expect(checkPython('python3', undefined)).toMatchObject({ level: 'fail', advice: expect.stringContaining('--python') })
  expect(checkPython('python3', '3.11.7 -\n')).toMatchObject({ level: 'fail', advice: expect.stringContaining('pip install sglang') })
  expect(checkPython('python3', '3.11.7 0.5.8.post1\n').level).toBe('fail')
  expect(checkPython('python3', '3.11.7 0.5.9rc1\n').level).toBe('ok')
  expect(checkPython('python3', '3.11.7 0.10.0\n').level).toBe('ok')
  const diffusion = expect.stringContaining('pip install "sglang[diffusion]"')
  expect(checkPython('python3', '3.11.7 - -\n', 'image').advice).toEqual(diffusion)
  expect(checkPython('python3', '3.11.7 0.10.0 -\n', 'video')).toMatchObject({ level: 'fail', advice: diffusion })
  expect(checkPython('python3', '3.11.7 0.10.0 0.37.0\n', 'video').level).toBe('ok')
})

test('limits are read from the kernel', () => {
  const limits = (files: string, memlock: string) =>
    `Limit  Soft  Hard  Units\nMax open files            ${files}  1048576  files\nMax locked memory         ${memlock}  x  bytes\n`
  expect(checkLimits(limits('1024', '65536')).map((finding) => finding.level)).toEqual(['warn', 'warn'])
  expect(checkLimits(limits('65536', 'unlimited')).map((finding) => finding.level)).toEqual(['ok', 'ok'])
})

test('shared memory: a missing mount fails', () => expect(checkShm('/no/such').level).toBe('fail'))

test('a taken port fails, a free one does not', () => {
  using server = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } })
  expect(checkPort('127.0.0.1', server.port)).toMatchObject({
    level: 'fail',
    what: `port ${server.port} on 127.0.0.1 is already in use`,
    advice: expect.stringContaining('--http-port'),
  })
  server.stop(true)
  expect(checkPort('127.0.0.1', server.port).level).toBe('ok')
})

test('models: whole, incomplete, diffusion, absent, on the hub', () => {
  expect(checkModel(files(['config.json', 'tokenizer.json', 'model.safetensors']), '/c').level).toBe('ok')
  expect(checkModel(files(['config.json', 'tokenizer.json']), '/c').what).toContain('lacks weights')
  expect(checkModel(files(['model_index.json']), '/c').advice).toContain('--image-diffusion-worker')
  expect(checkModel('/no/such/folder', '/c').level).toBe('fail')
  const cache = folder()
  mkdirSync(join(cache, 'hub/models--Qwen--Qwen3-0.6B'), { recursive: true })
  expect(checkModel('Qwen/Qwen3-0.6B', cache).level).toBe('ok')
  expect(checkModel('Qwen/Qwen3-8B', cache).advice).toContain('downloads')
})

test('the cache folder: the first usable root; the last one only with a warning', () => {
  const good = folder()
  expect(checkCache([join(good, 'a/b'), '/tmp/last'])).toEqual({ level: 'ok', what: `cache ${join(good, 'a/b')}` })
  expect(checkCache([good]).level).toBe('warn')
  expect(checkCache([]).level).toBe('fail')
})

test('orphaned engine processes are named with their pids, others are left alone', () => {
  const proc = folder()
  const make = (pid: number, cmdline: string, state: string, parent: number) => {
    mkdirSync(join(proc, String(pid)))
    writeFileSync(join(proc, String(pid), 'cmdline'), cmdline.replaceAll(' ', '\0'))
    writeFileSync(join(proc, String(pid), 'stat'), `${pid} (a) b) ${state} ${parent} 0`)
  }
  make(10, 'sglang::scheduler', 'S', 1)
  make(11, 'sgl_diffusion::scheduler', 'S', 1)
  make(12, 'sglang::scheduler', 'S', 99)
  make(13, 'sglang::detokenizer', 'Z', 1)
  make(14, 'vim sglang::notes', 'S', 1)
  const found = sglangProcesses(proc)
  expect(found.map((one) => [one.pid, one.orphan])).toEqual([
    [10, true],
    [11, true],
    [12, false],
  ])
  expect(checkProcesses(found).advice).toContain('kill -9 10 11')
  expect(checkProcesses(found.slice(2)).level).toBe('ok')
})

test('one line a finding, the advice below it', () => {
  expect(
    render([
      { level: 'ok', what: 'a' },
      { level: 'fail', what: 'b', advice: 'c' },
    ]),
  ).toBe('ok   a\nfail b\n     → c\n')
})
