import { describe, expect, test } from 'bun:test'
import { examples } from '../../../src/cli/example/examples.ts'
import { fit } from '../../../src/cli/example/fit.ts'
import { script } from '../../../src/cli/example/script.ts'
import { parseSettings } from '../../../src/cli/settings/parse-settings.ts'
import { eventually, run, start } from '../program.ts'

test('the list names every example', async () => {
  const { code, out } = await run(['example'])
  expect(code).toBe(0)
  for (const { name, about } of examples) expect(out).toMatch(new RegExp(`^${name} +${RegExp.escape(about)}$`, 'm'))
})

test('--print shows commands that can be pasted', async () => {
  const { out } = await run(['example', 'agg', '--print', '--http-port', '9000'])
  expect(out).toContain('\ndynamo-sglang serve --model-path Qwen/Qwen3-0.6B --http-port 9000\n')
  expect(out).toContain('curl localhost:9000/v1/chat/completions')
  expect((await run(['example', 'mock', '--print', '--http-port=9001'])).out).toContain('curl localhost:9001/v1/models')
  expect((await run(['example', 'mock', '--print'])).out).toContain('curl localhost:8000/v1/models')
})

test("the documents' script names work too", async () => {
  expect((await run(['example', './launch/agg.sh', '--print'])).code).toBe(0)
})

test('what is unknown gets the list', async () => {
  expect(await run(['example', 'nope'])).toMatchObject({ code: 2, err: expect.stringContaining('agg, agg_router') })
})

test('compose is a compose file', async () => {
  const { out } = await run(['example', 'compose'])
  expect(Object.keys((Bun.YAML.parse(out) as { services: object }).services)).toEqual(['etcd', 'nats'])
})

describe('every process of every example', () => {
  const commands = examples.flatMap((example) =>
    [fit(example, []), fit(example, ['--mock'])].flatMap(({ name, processes }) => processes.map((process) => [name, process] as const)),
  )
  test.each(commands)('%s has a command line we accept', (_, { args: [command, ...args], env }) => {
    expect(() => parseSettings(args, env ?? {}, command as 'serve')).not.toThrow()
  })
})

describe('flags of the user', () => {
  const agg = examples.find((one) => one.name === 'agg_router')!
  const lines = (flags: string) => fit(agg, flags.split(' ')).processes.map(({ args }) => args.join(' '))

  test('go to the processes that know them', () => {
    const [front, ...workers] = lines('--http-port 9000 --tp 2 --grace-period-secs=0')
    expect(front).toBe('frontend --router-mode kv --http-port 9000 --grace-period-secs=0')
    for (const worker of workers) expect(worker).toEndWith('--enable-metrics --tp 2 --grace-period-secs=0')
    expect(fit(agg, ['--http-port', '9000']).request).toContain('localhost:9000')
  })

  test('that nobody knows are refused', () => {
    const serve = { name: 'x', about: '', processes: [{ name: 'f', args: ['frontend'] }] }
    expect(() => fit(serve, ['--tp', '2'])).toThrow(/no process of the example 'x' takes --tp/)
  })

  test('--mock and --engine mock need no GPU, no SGLang and no model, and keep the name that requests use', () => {
    for (const flags of ['--mock', '--engine mock']) {
      const { processes } = fit(agg, flags.split(' '))
      expect(processes[1]!.args.join(' ')).toStartWith('worker --engine mock --served-model-name Qwen/Qwen3-0.6B --page-size 16')
      expect(processes[1]!.args).not.toContain('--trust-remote-code')
      expect(processes[1]!.env).toEqual({ DYN_SYSTEM_PORT: '8081' })
    }
  })
})

describe('images and videos', () => {
  const shown = async (line: string) => (await run(['example', ...line.split(' '), '--print'])).out

  test('have the options of the documents, which fill in the printed request', async () => {
    const plain = await shown('text-to-video-diffusion.sh')
    expect(plain).toContain('serve --video-generation-worker --model-path Wan-AI/Wan2.1-T2V-1.3B-Diffusers --skip-tokenizer-init')
    expect(plain).toContain('"size": "832x480", "seconds": 2')
    const large = await shown(
      'text-to-video-diffusion --wan-size 14b --num-frames 33 --height 720 --width=1280 --num-inference-steps 8 --fs-url s3://b --http-port 9000',
    )
    expect(large).toMatch(/--model-path Wan-AI\/Wan2.1-T2V-14B-Diffusers --tp 2 .* --fs-url s3:\/\/b --http-port 9000\n/)
    expect(large).toContain('curl localhost:9000/v1/videos')
    expect(large).toContain('"size": "1280x720"')
    expect(large).toContain('"num_frames": 33, "num_inference_steps": 8')
    const image = await shown('image_diffusion --model-path my/flux --http-url https://cdn')
    expect(image).toContain('serve --image-diffusion-worker --model-path my/flux')
    expect(image).toContain('"model": "my/flux"')
    expect(image).toContain('--http-url https://cdn\n')
  })

  test('refuse values that an option does not take', async () => {
    for (const flags of ['--wan-size 3b', '--num-frames x', '--height 0'])
      expect((await run(['example', 'text-to-video-diffusion', ...flags.split(' '), '--print'])).code).toBe(2)
  })

  test('text diffusion is flags alone, on the port of its script', async () => {
    const out = await shown('diffusion_llada --dllm-algorithm-config c.yaml')
    expect(out).toContain('--dllm-algorithm LowConfidence --dllm-algorithm-config c.yaml\n')
    expect(out).toContain('curl localhost:8001/v1/chat/completions')
  })
})

describe('models that see', () => {
  const shown = async (line: string) => (await run(['example', ...line.split(' '), '--print'])).out

  test('in one engine; the request is the documents’', async () => {
    const out = await shown('./launch/agg_vision.sh')
    expect(out).toContain('\ndynamo-sglang serve --enable-multimodal --model-path Qwen/Qwen3-VL-8B-Instruct')
    expect(out).toContain('Marzorati%2520-%2520Federer%2520Retirement%25202.jpg')
  })

  test('with the encoder apart: a worker for each part, of the model that is named', async () => {
    const out = await shown('multimodal_epd.sh --model Qwen/Qwen3-VL-4B-Instruct')
    expect(out).toMatch(/CUDA_VISIBLE_DEVICES=0 .* worker --model-path Qwen\/Qwen3-VL-4B-Instruct .*--multimodal-encode-worker/)
    expect(out).toMatch(/CUDA_VISIBLE_DEVICES=1 .*--multimodal-worker/)
    expect(out).toContain('"model": "Qwen/Qwen3-VL-4B-Instruct"')
    const three = await shown('multimodal_disagg')
    expect(three).toMatch(/--multimodal-worker .*--disaggregation-mode prefill/)
    expect(three).toMatch(/--multimodal-worker .*--disaggregation-mode decode/)
  })

  test('as mocks, they find each other by the name that the request has', () => {
    const { processes } = fit(examples.find((one) => one.name === 'multimodal_epd')!, ['--mock'])
    for (const { args } of processes.slice(1))
      expect(args.join(' ')).toStartWith('worker --engine mock --served-model-name Qwen/Qwen2.5-VL-7B-Instruct')
  })
})

test("the expert distribution is recorded as the documents' script does", () => {
  const [, prefill, decode] = examples.find((one) => one.name === 'disagg_dp_attn')!.processes
  for (const one of [prefill!, decode!]) {
    expect(one.env).toHaveProperty('SGLANG_EXPERT_DISTRIBUTION_RECORDER_DIR')
    expect(one.args.join(' ')).toContain('--expert-distribution-recorder-mode stat')
  }
})

test('words with spaces are quoted', () => {
  expect(script({ name: 'x', about: 'y', processes: [{ name: 'z', args: ['serve', "it's"], env: { A: 'b c' } }] })).toContain(
    "A='b c' dynamo-sglang serve 'it'\\''s'",
  )
})

test('one that loses a process says which, how it ended, and that it ends with it', async () => {
  const taken = Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: () => new Response() })
  const { code, err } = await run(['example', 'multimodal_epd', '--mock', '--http-host', '127.0.0.1', '--http-port', String(taken.port)])
  await taken.stop(true)
  expect(err).toMatch(/^example: frontend ended \(exit code 1\), so the example ends/m)
  expect(code).toBe(1)
}, 30_000)

test('an example runs until a signal ends all of its processes', async () => {
  const port = 20_000 + (process.pid % 10_000)
  const program = start(['example', 'mock', '--http-host', '127.0.0.1', '--http-port', String(port), '--grace-period-secs', '0'])
  await eventually(async () => (await fetch(`http://127.0.0.1:${port}/live`)).ok)
  program.kill('SIGTERM')
  expect(await program.exited).toBe(0)
  await expect(fetch(`http://127.0.0.1:${port}/live`)).rejects.toThrow()
})

test('several processes in one terminal: lines with their names, and one Ctrl-C that lets all of them finish', async () => {
  const port = 10_000 + (process.pid % 10_000)
  const flags = `--mock --http-host 127.0.0.1 --http-port ${port} --grace-period-secs 0`
  const program = start(['example', 'agg_router', ...flags.split(' ')])
  const [out, err] = [program.stdout.text(), program.stderr.text()]
  await eventually(async () => {
    const { candidates } = (await (await fetch(`http://127.0.0.1:${port}/debug/route?prompt=x`)).json()) as { candidates?: unknown[] }
    return candidates?.length === 2
  })
  program.kill('SIGINT')
  expect(await program.exited).toBe(0)
  expect(await out).toMatch(/^worker 1 \| Worker .* serves Qwen\/Qwen3-0.6B/m)
  expect(await err).toMatch(/^frontend \| .*worker joined/m)
  expect(await err).not.toContain('second signal')
}, 30_000)
