// Where calls run. A made-up kernel adds one to each byte; how long its CPU way takes is for the test to say.
import { afterEach, describe, expect, test } from 'bun:test'
import { type Call, configureKernels, kernelReport, perform, trialsOver } from '../../kernels/perform.ts'
import { deviceState, openDevice } from '../../src/gpu/device.ts'
import { testDevice } from '../helpers/webgpu.ts'

const gpu = await testDevice()

const code = `
@group(0) @binding(0) var<uniform> sizes: array<vec4u, 4>;
@group(0) @binding(1) var<storage, read> source: array<u32>;
@group(0) @binding(2) var<storage, read_write> result: array<u32>;
@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x < sizes[0].x) { result[id.x] = source[id.x] + 0x01010101u; }
}`

function plusOne(
  bytes: Uint8Array,
  options: { busyMs?: number; code?: string } = {},
): Call<{ bytes: Uint8Array; by: 'cpu' | 'webgpu' }> & { steps: number[] } {
  const out = new Uint8Array(bytes.length)
  const steps: number[] = []
  return {
    kernel: 'plus-one',
    bytes: bytes.length,
    steps,
    cpu: {
      units: bytes.length,
      step(from, to) {
        steps.push(to - from)
        const until = performance.now() + ((options.busyMs ?? 0) * (to - from)) / bytes.length
        for (let i = from; i < to; i++) out[i] = bytes[i]! + 1
        while (performance.now() < until);
      },
      result: () => ({ bytes: out, by: 'cpu' }),
    },
    gpu: {
      passes: () => [
        {
          key: `plus-one ${options.code ?? ''}`,
          code: options.code ?? code,
          sizes: [bytes.length / 4],
          inputs: [bytes],
          outputBytes: bytes.length,
          invocations: bytes.length / 4,
        },
      ],
      result: (done) => ({ bytes: done, by: 'webgpu' }),
    },
  }
}

const bytes = Uint8Array.from({ length: 1024 }, (_, i) => i % 200)
const expected = bytes.map((byte) => byte + 1)

afterEach(() => configureKernels({ mode: 'auto' }))

test('cpu: never on the device', async () => {
  configureKernels({ mode: 'cpu' })
  expect(await perform(plusOne(bytes, { busyMs: 10 }))).toEqual({ bytes: expected, by: 'cpu' })
  await trialsOver()
  expect((await kernelReport()).costs).toMatchObject([{ kernel: 'plus-one', upToBytes: 1024, chosen: 'cpu', calls: { cpu: 1, webgpu: 0 } }])
})

test('auto: what is quick on the CPU is not tried on the device', async () => {
  await perform(plusOne(bytes))
  await trialsOver()
  expect((await kernelReport()).costs[0]).not.toHaveProperty('gpuMs')
})

test('sizes are apart', async () => {
  for (const length of [256, 260, 512, 516]) await perform(plusOne(bytes.subarray(0, length)))
  expect((await kernelReport()).costs.map((cost) => [cost.upToBytes, cost.calls.cpu])).toEqual([
    [256, 1],
    [512, 2],
    [1024, 1],
  ]) // prettier-ignore
})

test('slow work leaves room for others between its slices', async () => {
  let others = 0
  const timer = setInterval(() => others++, 0)
  const call = plusOne(bytes, { busyMs: 200 })
  await perform(call)
  clearInterval(timer)
  expect(others).toBeGreaterThan(3)
  expect(call.steps.reduce((a, b) => a + b)).toBe(1024)
})

describe.skipIf(gpu === undefined)('with a device', () => {
  test('webgpu: always there', async () => {
    configureKernels({ mode: 'webgpu' })
    expect(await perform(plusOne(bytes))).toEqual({ bytes: expected, by: 'webgpu' })
    expect(await kernelReport()).toMatchObject({
      mode: 'webgpu',
      device: { kind: 'ready', name: gpu!.name },
      costs: [{ chosen: 'webgpu', calls: { cpu: 0, webgpu: 1 } }],
    })
  })

  test('many at once, each with its own bytes', async () => {
    configureKernels({ mode: 'webgpu' })
    const inputs = Array.from({ length: 20 }, (_, n) => new Uint8Array(1024).fill(n))
    const outputs = await Promise.all(inputs.map((input) => perform(plusOne(input))))
    expect(outputs.map((output) => [output.by, output.bytes[0], output.bytes[1023]])).toEqual(
      inputs.map((_, n) => ['webgpu', n + 1, n + 1]),
    )
  })

  test('auto: slow calls are answered by the CPU; the device is tried after the third, but not a software one', async () => {
    for (let i = 0; i < 3; i++) expect((await perform(plusOne(bytes, { busyMs: 30 }))).by).toBe('cpu')
    await trialsOver()
    expect((await perform(plusOne(bytes, { busyMs: 30 }))).by).toBe(gpu!.software ? 'cpu' : 'webgpu')
  })

  test('a shader that does not compile: the CPU answers, and others still run on the device', async () => {
    configureKernels({ mode: 'webgpu' })
    expect(await perform(plusOne(bytes, { code: 'no shader' }))).toEqual({ bytes: expected, by: 'cpu' })
    expect((await perform(plusOne(bytes))).by).toBe('webgpu')
  })

  test('what does not fit into a binding stays on the CPU', async () => {
    configureKernels({ mode: 'webgpu' })
    const call = plusOne(bytes)
    const passes = call.gpu.passes()
    const large = { ...call, gpu: { ...call.gpu, passes: () => passes.map((pass) => ({ ...pass, outputBytes: (128 << 20) + 4 })) } }
    expect((await perform(large)).by).toBe('cpu')
  })

  test('a lost device: what runs and what comes is done by the CPU, and the report says why', async () => {
    configureKernels({ mode: 'webgpu' })
    const running = [perform(plusOne(bytes)), perform(plusOne(bytes))]
    // Until they wait for the device.
    for (let i = 0; i < 5; i++) await Promise.resolve()
    ;(await openDevice())!.device.destroy()
    for (const done of await Promise.all(running)) expect(done.bytes).toEqual(expected)
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(await perform(plusOne(bytes))).toEqual({ bytes: expected, by: 'cpu' })
    expect(deviceState()).toMatchObject({ kind: 'lost', reason: expect.stringMatching(/destroyed/i) })
    configureKernels({ mode: 'webgpu' })
    expect((await perform(plusOne(bytes))).by).toBe('webgpu')
  })
})
