// src/gpu on its own: what a machine without a driver is told, and buffers that are used again.
import { expect, test } from 'bun:test'
import { join } from 'node:path'
import { bufferPool } from '../../src/gpu/buffers.ts'
import { openDevice } from '../../src/gpu/device.ts'
import { run } from '../../src/gpu/run.ts'
import { testDevice } from '../helpers/webgpu.ts'

const present = (await testDevice()) !== undefined

test('without a Vulkan driver there is no device, and the reason says what to do; the null backend is never taken', () => {
  const script = `import { deviceState, openDevice } from '${join(import.meta.dir, '../../src/gpu/device.ts')}'
    console.log((await openDevice()) === undefined, JSON.stringify(deviceState()))`
  const child = Bun.spawnSync([process.execPath, '-e', script], { env: { PATH: process.env.PATH, VK_DRIVER_FILES: '/nonexistent.json' } })
  expect(child.stdout.toString()).toMatch(/^true \{"kind":"none","reason":"no Vulkan (driver|loader): install /)
  expect(child.stderr.toString()).toBe('')
})

/** What a script prints in a process of its own, with `device` the module src/gpu/device.ts over a Dawn that only counts; `adapter` is what that gives. */
function withCountingDawn(adapter: string, script: string): unknown {
  const source = join(import.meta.dir, '../../src/gpu')
  const text = `
    const counts = { dawn: 0, dawnReleased: 0, adapters: 0, adaptersReleased: 0, destroyed: [] }
    const makeDevice = (n) => ({ n, lost: new Promise(() => {}), destroy: () => counts.destroyed.push(n) })
    const makeAdapter = () => (counts.adapters++, { features: new Set(), destroy: () => void counts.adaptersReleased++, ...(${adapter}) })
    const fake = {
      globals() {},
      createGPUInstance: () => (counts.dawn++, { requestAdapter: async () => makeAdapter(), destroy: () => void counts.dawnReleased++ }),
    }
    Bun.plugin({
      name: 'dawn',
      setup(build) {
        build.module('bun-webgpu', () => ({ exports: fake, loader: 'object' }))
        build.onLoad({ filter: /gpu.vulkan.ts$/ }, () => ({ contents: 'export const vulkanState = async () => ({ ready: true })', loader: 'js' }))
      },
    })
    const device = await import('${source}/device.ts')
    ${script}
    process.stdout.write(JSON.stringify(counts))`
  const child = Bun.spawnSync([process.execPath, '-e', text], { stderr: 'inherit' })
  return JSON.parse(child.stdout.toString().trim().split('\n').at(-1)!)
}

test('an open that fails leaves no Dawn and no adapter behind', () => {
  const threeTimes = 'for (let i = 0; i < 3; i++) { device.forgetFailures(); await device.openDevice() }'
  const released = { dawn: 3, dawnReleased: 3, adapters: 3, adaptersReleased: 3, destroyed: [] }
  const nothing = "{ info: { vendor: '', device: '', description: 'null-backend' } }"
  expect(withCountingDawn(nothing, threeTimes)).toEqual(released)
  const refusing = "{ info: { vendor: 'a', device: 'b', description: '' }, requestDevice: () => Promise.reject(new Error('no')) }"
  expect(withCountingDawn(refusing, threeTimes)).toEqual(released)
})

test('giving a device up that was given up before leaves its successor alone', () => {
  const working = "{ info: { vendor: 'a', device: 'b', description: '' }, requestDevice: async () => makeDevice(counts.adapters) }"
  const script = `
    const first = await device.openDevice()
    device.closeDevice(first, 'a test')
    device.forgetFailures()
    const second = await device.openDevice()
    device.closeDevice(first, 'once more')
    if (second.device.n !== 2 || device.deviceState().kind !== 'ready') throw new Error('the second is gone')`
  // One Dawn serves both.
  expect(withCountingDawn(working, script)).toEqual({ dawn: 1, dawnReleased: 0, adapters: 2, adaptersReleased: 2, destroyed: [1] })
})

test('the Vulkan loader is let go after the question', () => {
  const script = `import { vulkanState } from '${join(import.meta.dir, '../../src/gpu/vulkan.ts')}'
    await vulkanState()
    console.log(require('node:fs').readFileSync('/proc/self/maps', 'utf8').includes('libvulkan'))`
  const child = Bun.spawnSync([process.execPath, '-e', script], { env: { PATH: process.env.PATH } })
  expect(child.stdout.toString().trim()).toBe('false')
})

test('buffers come back by size and usage; too many are let go', () => {
  const destroyed: number[] = []
  const pool = bufferPool({
    createBuffer: ({ size, usage }) => ({ size, usage, destroy: () => void destroyed.push(size) }) as unknown as GPUBuffer,
  })
  const small = pool.take(5, 1)
  expect(small.size).toBe(256)
  pool.give(small)
  expect(pool.take(200, 2)).not.toBe(small)
  expect(pool.take(200, 1)).toBe(small)
  const large = [pool.take(100 << 20, 1), pool.take(128 << 20, 1), pool.take(128 << 20, 1)]
  for (const buffer of large) pool.give(buffer)
  expect([pool.idle(), destroyed]).toEqual([256 << 20, [128 << 20]])
  pool.drop()
  pool.give(small)
  expect([pool.idle(), destroyed.length]).toEqual([0, 4])
})

test.skipIf(!present)('what one pass makes the next one reads, and times of the device are told', async () => {
  const gpu = (await openDevice())!
  const code = `
    override add: u32;
    @group(0) @binding(0) var<uniform> sizes: array<vec4u, 4>;
    @group(0) @binding(1) var<storage, read> source: array<u32>;
    @group(0) @binding(2) var<storage, read_write> result: array<u32>;
    @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {
      let at = id.y * 4194240u + id.x;
      if (at < sizes[0].x) { result[at] = source[at] + add; }
    }`
  // More than 65,535 workgroups in a row: the second dimension is used.
  const count = 65_535 * 64 + 5
  const pass = (add: number, input: Uint32Array | number) => ({
    key: `add ${add}`,
    code,
    constants: { add },
    sizes: [count],
    inputs: [input],
    outputBytes: 4 * count,
    invocations: count,
  })
  const numbers = Uint32Array.from({ length: count }, (_, i) => i)
  const { bytes, deviceMs } = await run(gpu, [pass(1, numbers), pass(10, 0)], true)
  const out = new Uint32Array(bytes.buffer)
  expect([out[0], out[64], out[count - 1]]).toEqual([11, 75, count - 1 + 11])
  expect(out.every((value, i) => value === i + 11)).toBe(true)
  if (gpu.timestamps) expect(deviceMs).toBeGreaterThan(0)
})

test.skipIf(!present)('buffers of a run serve the next one', async () => {
  const gpu = (await openDevice())!
  let made = 0
  const { createBuffer } = gpu.device
  gpu.device.createBuffer = (descriptor) => {
    made++
    return createBuffer.call(gpu.device, descriptor)
  }
  const code = `
    @group(0) @binding(0) var<uniform> sizes: array<vec4u, 4>;
    @group(0) @binding(1) var<storage, read_write> result: array<u32>;
    @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) { result[id.x] = sizes[0].x; }`
  const pass = (value: number) => ({ key: 'fill', code, sizes: [value], inputs: [], outputBytes: 256, invocations: 64 })
  for (let i = 0; i < 10; i++) expect((await run(gpu, [pass(i)])).bytes[0]).toBe(i)
  gpu.device.createBuffer = createBuffer
  expect(made).toBeLessThanOrEqual(3)
})

test.skipIf(!present)('of runs that overlap those fail that the device refuses, and no others', async () => {
  const gpu = (await openDevice())!
  const code = `
    @group(0) @binding(0) var<uniform> sizes: array<vec4u, 4>;
    @group(0) @binding(1) var<storage, read_write> result: array<u32>;
    @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) { result[id.x] = sizes[0].x; }`
  const good = (value: number) => ({ key: 'value', code, sizes: [value], inputs: [], outputBytes: 256, invocations: 64 })
  const bad = { ...good(0), key: 'bad', code: 'no shader' }
  // What the last pass would read is no buffer for it: refused as the pass is described, not as its shader is made.
  const badToo = { ...good(0), key: 'more', inputs: [new Uint8Array(256)] }
  const runs = [good(7), bad, good(8), badToo, bad, good(9)].map((pass) => run(gpu, [pass]))
  const ended = await Promise.allSettled(runs)
  expect(ended.map((one) => (one.status === 'fulfilled' ? one.value.bytes[0] : 'refused'))).toEqual([
    7,
    'refused',
    8,
    'refused',
    'refused',
    9,
  ])
  expect(gpu.strays().count).toBe(0)
})

test.skipIf(!present)('an error that is nobody\u2019s fails what was under way, and not what comes after', async () => {
  const gpu = (await openDevice())!
  const code = `
    @group(0) @binding(0) var<uniform> sizes: array<vec4u, 4>;
    @group(0) @binding(1) var<storage, read_write> result: array<u32>;
    @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) { result[id.x] = sizes[0].x; }`
  const pass = { key: 'value', code, sizes: [5], inputs: [], outputBytes: 256, invocations: 64 }
  const running = run(gpu, [pass])
  gpu.device.createShaderModule({ code: 'no shader of anybody' })
  await expect(running).rejects.toThrow('Error while parsing')
  expect((await run(gpu, [pass])).bytes[0]).toBe(5)
})
