// Command lines of image and video workers.
import { describe, expect, test } from 'bun:test'
import { parseSettings } from '../../../src/cli/settings/parse-settings.ts'
import { parse, refusal } from './parse.ts'

describe('a diffusion worker', () => {
  test('without a model path is the documents’ own: SGLang with FLUX.1-dev or Wan2.1-1.3B', () => {
    expect(parse('--image-diffusion-worker')).toMatchObject({
      makes: 'image',
      engine: 'sglang',
      modelPath: 'black-forest-labs/FLUX.1-dev',
      engineArgs: ['--model-path', 'black-forest-labs/FLUX.1-dev'],
    })
    expect(parse('--video-generation-worker')).toMatchObject({ makes: 'video', modelPath: 'Wan-AI/Wan2.1-T2V-1.3B-Diffusers' })
    expect(parse('--image-diffusion-worker --engine mock')).toMatchObject({ makes: 'image', engine: 'mock', modelPath: undefined })
    expect(parse('').makes).toBeUndefined()
  })

  test('is asked for by a variable as well', () => {
    expect(parse('--model-path m', { DYN_SGL_IMAGE_DIFFUSION_WORKER: 'true' }).makes).toBe('image')
    expect(parse('--model-path m', { DYN_SGL_VIDEO_GENERATION_WORKER: '1' }).makes).toBe('video')
  })

  test('hands flags that are not ours to SGLang’s diffusion engine, in order', () => {
    const line = '--video-generation-worker --model-path m --dit-cpu-offload true --ulysses-degree=2 --num-gpus 2 --vae-cpu-offload'
    expect(parse(line).engineArgs.join(' ')).toBe('--model-path m --dit-cpu-offload true --ulysses-degree=2 --num-gpus 2 --vae-cpu-offload')
  })

  test('takes the words of the documents’ scripts, and says them as the diffusion engine does', () => {
    const { engineArgs, notices } = parse(
      '--image-diffusion-worker --model-path m --tp 2 --dp=2 --nccl-port 4 --skip-tokenizer-init --trust-remote-code --enable-metrics --disaggregation-mode agg',
    )
    expect(engineArgs.join(' ')).toBe('--model-path m --tp-size 2 --dp-size=2 --master-port 4 --trust-remote-code')
    expect(notices).toEqual([])
  })

  test('keeps its results where Dynamo does, or where it is told', () => {
    expect(parse('--image-diffusion-worker')).toMatchObject({ mediaFsUrl: 'file:///tmp/dynamo_media', mediaHttpUrl: undefined })
    const short = parse('--image-diffusion-worker --fs-url s3://bucket/prefix --http-url https://cdn.example/x')
    expect(short).toMatchObject({ mediaFsUrl: 's3://bucket/prefix', mediaHttpUrl: 'https://cdn.example/x' })
    const long = { DYN_MEDIA_OUTPUT_FS_URL: 'file:///data', DYN_MEDIA_OUTPUT_HTTP_URL: 'http://h' }
    expect(parse('--image-diffusion-worker', long)).toMatchObject({ mediaFsUrl: 'file:///data', mediaHttpUrl: 'http://h' })
  })

  test.each([
    ['--image-diffusion-worker --video-generation-worker', '--video-generation-worker', /a port of its own/],
    ['--image-diffusion-worker --embedding-worker', '--image-diffusion-worker', /--embedding-worker exclude/],
    ['--video-generation-worker --disaggregation-mode prefill', '--disaggregation-mode', /partner/],
    ['--image-diffusion-worker --engine-url http://h:1', '--image-diffusion-worker', /engine of its own/],
    ['--image-diffusion-worker --use-sglang-tokenizer', '--image-diffusion-worker', /text models/],
    ['--image-diffusion-worker --fs-url gs://b', '--media-output-fs-url', /s3:/],
    ['--image-diffusion-worker --http-url cdn.example', '--media-output-http-url', /https:/],
    ['--image-diffusion-worker --gpu-kernels cuda', '--gpu-kernels', /auto, webgpu, cpu/],
  ])('%s is refused', (line, param, message) => {
    const error = refusal(line)
    expect([error.code, error.param]).toEqual(['invalid_setting', param])
    expect(error.message).toMatch(message)
  })

  test('is a role of serve and of worker; a frontend does not mind the variables of its machine', () => {
    expect(parseSettings(['--image-diffusion-worker', '--model-path', 'm'], {}, 'worker')).toMatchObject({ makes: 'image', modelPath: 'm' })
    expect(() => parseSettings(['--image-diffusion-worker', '--video-generation-worker'], {}, 'worker')).toThrow('run a worker for each')
    const env = { DYN_SGL_IMAGE_DIFFUSION_WORKER: '1', DYN_SGL_VIDEO_GENERATION_WORKER: '1' }
    expect(parseSettings([], env, 'frontend').makes).toBeUndefined()
    expect(() => parseSettings(['--image-diffusion-worker'], {}, 'frontend')).toThrow(/serve, worker/)
  })

  test('keeps no files where frontends do: their flags go there, and a worker of the documents’ scripts is told so', () => {
    const front = parseSettings(['--fs-url', 's3://b/p', '--media-max-gb', '2'], {}, 'frontend')
    expect(front).toMatchObject({ mediaFsUrl: 's3://b/p', mediaMaxGb: 2, notices: [] })
    expect(() => parseSettings(['--fs-url', 'gs://b'], {}, 'frontend')).toThrow('s3://')
    expect(() => parseSettings(['--video-encoder', 'libx264'], {}, 'frontend')).toThrow(/serve, worker/)
    // Clips in chats are read there.
    expect(parseSettings(['--ffmpeg', 'none'], {}, 'frontend')).toMatchObject({ ffmpeg: 'none', notices: [] })
    const worker = parseSettings(['--video-generation-worker', '--model-path', 'm', '--media-output-fs-url', 'file:///x'], {}, 'worker')
    expect(worker.notices.join()).toContain('--media-output-fs-url: the frontend keeps the files')
  })

  test('its settings without its role are told to have no effect', () => {
    expect(parse('--engine mock --fs-url /x').notices.join()).toContain('--media-output-fs-url has no effect without')
    expect(parse('--engine mock --ffmpeg /opt/ffmpeg').notices).toEqual([])
    const fleet = parse('--image-diffusion-worker --discovery-backend etcd')
    expect(fleet.notices.join()).toContain("run 'worker' with the same flags, and 'frontend'")
  })
})
