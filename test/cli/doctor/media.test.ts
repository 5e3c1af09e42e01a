// What `doctor` says about images and videos, from what was found on some machine.
import { describe, expect, test } from 'bun:test'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { checkEncoders, checkKernels, checkMediaModel, checkMediaPlace } from '../../../src/cli/doctor/media.ts'
import { run } from '../program.ts'

test('the encoder of videos, those that would work too, and what happens without one', () => {
  const tried = [
    { name: 'av1_nvenc', works: false, reason: 'no device' },
    { name: 'libsvtav1', works: true },
    { name: 'libvpx-vp9', works: true },
  ]
  expect(checkEncoders({ ffmpeg: '/usr/bin/ffmpeg', version: '7.1', tried, chosen: 'libsvtav1' })).toEqual({
    level: 'ok',
    what: 'videos: libsvtav1 of ffmpeg 7.1 (/usr/bin/ffmpeg); libvpx-vp9 would work too',
  })
  expect(checkEncoders({ ffmpeg: '/py/ffmpeg', version: '7.1', brought: true, tried, chosen: 'libsvtav1' }).what).toContain(
    '(/py/ffmpeg, of the engine’s Python)',
  )
  const none = checkEncoders({ ffmpeg: null, tried: [], reason: 'no ffmpeg was found' })
  expect(none).toMatchObject({ level: 'warn', what: expect.stringContaining('animated WebP'), advice: expect.stringContaining('--ffmpeg') })
})

describe('an encoder that was asked for by name', () => {
  const found = {
    ffmpeg: '/usr/bin/ffmpeg',
    version: '7.1',
    tried: [
      { name: 'av1_nvenc', works: false, reason: 'no device' },
      { name: 'libsvtav1', works: true },
      { name: 'libvpx-vp9', works: true },
    ],
    chosen: 'libsvtav1',
  }

  test('works', () => {
    expect(checkEncoders(found, { encoder: 'libvpx-vp9', needed: true })).toEqual({
      level: 'ok',
      what: 'videos: libvpx-vp9 of ffmpeg 7.1 (/usr/bin/ffmpeg), as --video-encoder says; libsvtav1 would work too',
    })
  })

  test.each([
    ['av1_nvenc', /with ffmpeg 7.1 \(\/usr\/bin\/ffmpeg\): no device/],
    ['libtheora', /not one that is known/],
  ])('%s does not: a server of videos would not start', (encoder, what) => {
    const advice = 'leave it out, or name libsvtav1 or libvpx-vp9'
    expect(checkEncoders(found, { encoder, needed: true })).toEqual({ level: 'fail', what: expect.stringMatching(what), advice })
    expect(checkEncoders(found, { encoder, needed: false }).level).toBe('warn')
  })

  test('without any ffmpeg', () => {
    const none = { ffmpeg: null, tried: [], reason: 'no ffmpeg was found' }
    expect(checkEncoders(none, { encoder: 'libx264', needed: true })).toMatchObject({
      level: 'fail',
      what: 'videos: --video-encoder libx264 does not work: no ffmpeg was found',
    })
  })
})

test('the ffmpeg that serve would use: where the PATH has none, the one of the engine’s Python', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'doctor-'))
  const script = (name: string, text: string) => writeFileSync(join(folder, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 })
  script('bundled', 'case $1 in -version) echo ffmpeg version 9.9 ;; -hide_banner) ;; *) exit 1 ;; esac')
  script('python', `echo ${folder}/bundled`)
  const args = ['doctor', '--engine', 'sglang', '--video-generation-worker', '--python', join(folder, 'python'), '--gpu-kernels', 'cpu']
  const plain = await run(args, { PATH: folder })
  expect(plain.out).toContain(`videos: ffmpeg 9.9 has no video encoder that works here (${folder}/bundled)`)
  const chosen = await run([...args, '--video-encoder', 'libx264'], { PATH: folder })
  expect(chosen.out).toMatch(/^fail +videos: --video-encoder libx264 does not work with ffmpeg 9.9 .*bundled, of the engine’s Python/m)
  rmSync(folder, { recursive: true })
})

describe('where kernels run', () => {
  const device = { kind: 'ready', name: 'nvidia h200', software: false } as const
  const none = { kind: 'none', reason: 'no Vulkan driver' } as const
  test.each([
    [{ mode: 'auto', device, costs: [] }, 'ok', /WebGPU on nvidia h200 where/],
    [{ mode: 'webgpu', device: { ...device, software: true }, costs: [] }, 'ok', /software/],
    [{ mode: 'auto', device: none, costs: [] }, 'ok', /on the CPU; no WebGPU device \(no Vulkan driver\)/],
    [{ mode: 'webgpu', device: none, costs: [] }, 'warn', /no WebGPU/],
    [{ mode: 'cpu', device: none, costs: [] }, 'ok', /--gpu-kernels cpu/],
  ] as const)('%j', (report, level, what) => {
    expect(checkKernels({ ...report, costs: [] })).toMatchObject({ level, what: expect.stringMatching(what) })
  })
})

test('the place of finished files: a folder that can be made, a bucket, something in the way', () => {
  const folder = mkdtempSync(join(tmpdir(), 'doctor-'))
  expect(checkMediaPlace(`file://${folder}/a/b`).level).toBe('ok')
  expect(checkMediaPlace(`${folder}/c`).what).toContain(`${folder}/c`)
  expect(checkMediaPlace('s3://bucket/x').level).toBe('ok')
  // Looked at, not changed.
  expect(readdirSync(folder)).toEqual([])
  writeFileSync(join(folder, 'file'), '')
  expect(checkMediaPlace(`file://${folder}/file/x`)).toMatchObject({
    level: 'fail',
    advice: expect.stringContaining('--media-output-fs-url'),
  })
})

test.skipIf(!existsSync('/proc'))('a place that takes no folder from anybody is no place, whoever asks', () => {
  expect(checkMediaPlace('file:///proc/nope').level).toBe('fail')
})

describe('the model of a diffusion worker', () => {
  const flux = 'models/tiny-FLUX.1-dev'
  const wan = 'models/tiny-Wan2.1-T2V-1.3B'

  test('what makes something else is told, with the right flag', async () => {
    expect((await checkMediaModel(flux, 'image', 'mock', [])).level).toBe('ok')
    expect((await checkMediaModel(wan, 'video', 'mock', [])).level).toBe('ok')
    for (const engine of ['mock', 'sglang'])
      expect(await checkMediaModel(wan, 'image', engine, [])).toMatchObject({
        level: 'fail',
        what: expect.stringContaining('--video-generation-worker'),
      })
  })

  test('a text model is none', async () => {
    expect(await checkMediaModel('models/tiny-llm', 'video', 'mock', [])).toMatchObject({
      level: 'fail',
      what: expect.stringContaining('model_index.json'),
    })
  })

  test('without weights it is for the mock alone; what only SGLang knows is fine for it', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'doctor-'))
    const write = (pipeline: string) =>
      writeFileSync(join(folder, 'model_index.json'), JSON.stringify({ _class_name: pipeline, vae: ['diffusers', 'AutoencoderKL'] }))
    write('FluxPipeline')
    expect((await checkMediaModel(folder, 'image', 'mock', [])).level).toBe('ok')
    expect(await checkMediaModel(folder, 'image', 'sglang', [])).toMatchObject({ level: 'fail', what: expect.stringContaining('for vae') })
    mkdirSync(join(folder, 'vae'))
    writeFileSync(join(folder, 'vae/model.safetensors'), '')
    write('TomorrowsPipeline')
    expect((await checkMediaModel(folder, 'image', 'sglang', [])).level).toBe('ok')
    expect((await checkMediaModel(folder, 'image', 'mock', [])).level).toBe('fail')
  })
})
