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
