import { expect, test } from 'bun:test'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onnxEncoderOptions } from '../../../src/cli/deployment/vision-options.ts'
import { parseSettings } from '../../../src/cli/settings/parse-settings.ts'

async function options(flags: string, config: object, env: Record<string, string> = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'vision-options-'))
  try {
    writeFileSync(join(folder, 'config.json'), JSON.stringify(config))
    const settings = parseSettings(`--engine mock --model-path ${folder} ${flags}`.trim().split(' '), env, 'worker')
    return { folder, ...(await onnxEncoderOptions(settings, { HOME: '/home/x', EMPTY: undefined }, folder)) }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

test('without flags: the tower in the model’s folder, on whatever the machine has', async () => {
  const { folder, ...told } = await options('', { torch_dtype: 'bfloat16' })
  expect(told).toMatchObject({
    modelPath: folder,
    tower: join(folder, 'vision.onnx'),
    device: 'auto',
    threads: 0,
    type: 'bfloat16',
  })
  expect(told.command.at(-1)).toBe('vision-process')
  expect(told.env).toEqual({ HOME: '/home/x' })
})

test('flags and variables are heard', async () => {
  const told = await options(
    '--vision-device cpu --vision-max-patches 400 --vision-backend pil',
    { dtype: 'bfloat16' },
    { DYN_VISION_TOWER: '/t.onnx' },
  )
  expect(told).toMatchObject({ tower: '/t.onnx', device: 'cpu', backend: 'pil' })
})

test.each([
  ['', { torch_dtype: 'bfloat16' }, 'bfloat16'],
  ['', { text_config: { dtype: 'bfloat16' } }, 'bfloat16'],
  ['', { dtype: 'bfloat16', text_config: {} }, 'bfloat16'],
  // SGLang serves checkpoints of float32 in float16.
  ['', { torch_dtype: 'float32' }, 'float16'],
  ['', {}, 'float16'],
  ['--dtype float32', { torch_dtype: 'bfloat16' }, 'float32'],
  ['--dtype=half', { torch_dtype: 'bfloat16' }, 'float16'],
  ['--dtype auto', { torch_dtype: 'bfloat16' }, 'bfloat16'],
  ['--vision-dtype float32 --dtype bfloat16', { torch_dtype: 'bfloat16' }, 'float32'],
])(`rows have the language model’s type: "%s" %j`, async (flags, config, type) =>
  expect(`${(await options(flags, config)).type}`).toBe(type),
)
