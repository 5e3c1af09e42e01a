import { expect, setDefaultTimeout, test } from 'bun:test'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sourceFiles } from '../../src/build/build.ts'
import { nativePlugin } from '../../src/build/native-plugin.ts'
import { tinyTower } from '../helpers/vision-fixtures.ts'
import { driverEnv, testDevice } from '../helpers/webgpu.ts'

// The first build of a checkout packs the native parts, at the level that takes longest.
setDefaultTimeout(300_000)

const root = join(import.meta.dir, '../..')

function build(...args: string[]): { code: number; err: string } {
  const result = Bun.spawnSync([process.execPath, join(root, 'src/build/build.ts'), ...args])
  return { code: result.exitCode, err: result.stderr.toString() }
}

test('a target without native parts is refused by name', () => {
  const { code, err } = build('--target=linux-arm64')
  expect(code).toBe(1)
  expect(err).toContain("no build for 'linux-arm64': the native parts are embedded for linux-x64 only")
})

test('an unknown option is refused', () =>
  expect(build('--fast')).toMatchObject({ code: 1, err: expect.stringContaining('unknown option --fast') }))

test('--if-stale looks at everything that goes in', () => {
  const files = sourceFiles()
  for (const path of ['src/main.ts', 'src/serve/http/app.ts', 'models/tiny-vl/config.json', 'bun.lock']) expect(files).toContain(path)
  expect(files.filter((path) => path.startsWith('src/')).length).toBeGreaterThan(500)
  expect(files.filter((path) => path.startsWith('kernels/')).length).toBeGreaterThan(20)
})

test('a bundle made with the plugin loads its addon from the packed file, not from node_modules', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'plugin-'))
  const entry = join(root, 'test/build/uses-addon.ts')
  const result = await Bun.build({
    entrypoints: [entry],
    target: 'bun',
    outdir: folder,
    plugins: [nativePlugin(root, join(root, '.native-cache'))],
  })
  expect(result.success).toBe(true)
  const code = readFileSync(join(folder, 'uses-addon.js'), 'utf8')
  expect(code).not.toContain('tokenizers.linux-x64-gnu')
  const run = Bun.spawnSync([process.execPath, join(folder, 'uses-addon.js')], { cwd: folder, env: { HOME: folder } })
  expect(run.stdout.toString()).toBe('function\n')
  expect([...new Bun.Glob('**/tokenizers.node').scanSync({ cwd: join(folder, '.cache'), dot: true })].length).toBe(1)
})

test('an executable of one file encodes a picture: sharp and libvips are unpacked from it at the first use', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sharp-'))
  const outfile = join(folder, 'uses-sharp')
  const result = await Bun.build({
    entrypoints: [join(root, 'test/build/uses-sharp.ts')],
    compile: { target: 'bun-linux-x64', outfile, autoloadDotenv: false, autoloadBunfig: false },
    plugins: [nativePlugin(root, join(root, '.native-cache'))],
  })
  expect(result.success).toBe(true)
  const run = Bun.spawnSync([outfile], { cwd: folder, env: { HOME: folder } })
  expect(run.stderr.toString()).toBe('')
  expect(run.stdout.toString()).toBe('image/png true\n')
  // libvips is LGPL: it lies there as a shared library of its own.
  expect([...new Bun.Glob('**/libvips-cpp.so.*').scanSync({ cwd: join(folder, '.cache'), dot: true })].length).toBe(1)
  rmSync(folder, { recursive: true })
})

const tower = await tinyTower('tiny-vl')

test.skipIf(tower === undefined)(
  'an executable of one file runs a vision tower: ONNX Runtime is unpacked at the first use, and tells nobody',
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'onnx-'))
    const outfile = join(folder, 'uses-onnx')
    const result = await Bun.build({
      entrypoints: [join(root, 'test/build/uses-onnx.ts')],
      compile: { target: 'bun-linux-x64', outfile, autoloadDotenv: false, autoloadBunfig: false },
      plugins: [nativePlugin(root, join(root, '.native-cache'))],
    })
    expect(result.success).toBe(true)
    const run = Bun.spawnSync([outfile, tower!.tower], { cwd: folder, env: { HOME: folder, TMPDIR: folder, ORT_DISABLE_TELEMETRY: '1' } })
    expect(run.stderr.toString()).toBe('')
    expect(run.stdout.toString()).toMatch(/^1\.\d+\.\d+ 64 true\n$/)
    expect([...new Bun.Glob('**/libonnxruntime.so.1').scanSync({ cwd: join(folder, '.cache'), dot: true })].length).toBe(1)
    expect(readdirSync(folder).sort()).toEqual(['.cache', 'uses-onnx'])
    rmSync(folder, { recursive: true })
  },
)

test.skipIf((await testDevice()) === undefined)(
  'an executable of one file runs a WGSL kernel: Dawn is unpacked at the first use',
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'webgpu-'))
    const outfile = join(folder, 'uses-webgpu')
    const result = await Bun.build({
      entrypoints: [join(root, 'test/build/uses-webgpu.ts')],
      compile: { target: 'bun-linux-x64', outfile, autoloadDotenv: false, autoloadBunfig: false },
      plugins: [nativePlugin(root, join(root, '.native-cache'))],
    })
    expect(result.success).toBe(true)
    const run = Bun.spawnSync([outfile], { cwd: folder, env: { HOME: folder, ...driverEnv() } })
    expect(run.stderr.toString()).toBe('')
    expect(run.stdout.toString()).toBe('ready 63,102,240 {"cpu":0,"webgpu":1}\n')
    expect([...new Bun.Glob('**/libwebgpu_wrapper.so').scanSync({ cwd: join(folder, '.cache'), dot: true })].length).toBe(1)
    rmSync(folder, { recursive: true })
  },
)
