import { describe, expect, test } from 'bun:test'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { settingsHelp } from '../../src/cli/help.ts'
import { parseSettings } from '../../src/cli/settings/parse-settings.ts'
import type { Setting } from '../../src/cli/settings/setting.ts'
import { type Settings, table } from '../../src/cli/settings/settings.ts'
import { AppError } from '../../src/lib/errors.ts'

const parse = (line: string, env: Record<string, string> = {}): Settings => parseSettings(line.split(' ').filter(Boolean), env, 'serve')

/** The error a command line gives. */
function refusal(line: string, env: Record<string, string> = {}): AppError {
  try {
    parse(line, env)
  } catch (thrown) {
    if (thrown instanceof AppError) return thrown
    throw thrown
  }
  throw new Error(`'${line}' was accepted`)
}

function file(name: string, content: string): string {
  const path = join(mkdtempSync(join(tmpdir(), 'settings-')), name)
  writeFileSync(path, content)
  return path
}

describe('where a value comes from', () => {
  test('--flag VALUE and --flag=VALUE are the same', () => {
    expect(parse('--http-port 9001').httpPort).toBe(9001)
    expect(parse('--http-port=9001').httpPort).toBe(9001)
  })

  test('argv wins over the environment, that over the file, that over the default', () => {
    const path = file('s.yaml', 'http-port: 3\nhttp_host: file\nhttp-body-limit-mb: 7\n')
    const settings = parse(`-f ${path} --http-port 1`, { DYN_HTTP_PORT: '2', DYN_HTTP_HOST: 'env' })
    expect([settings.httpPort, settings.httpHost, settings.bodyLimitMb, settings.gracePeriodSecs]).toEqual([1, 'env', 7, 5])
  })

  test("a file's key is what the flag is: SGLang's own stay SGLang's", () => {
    const path = file(
      'own.yaml',
      'model-path: models/tiny-llm\ntool-call-parser: qwen25\nlog-level: warning\ndyn-tool-call-parser: hermes\n',
    )
    const settings = parse(`-f ${path}`)
    expect(settings.engineArgs.join(' ')).toContain('--tool-call-parser qwen25 --log-level warning')
    expect([settings.toolCallParser, settings.logLevel]).toEqual(['hermes', 'info'])
    expect(settings.notices.join()).toContain('--tool-call-parser has no effect yet')
  })

  test('aliases may follow each other, a word that belongs to nothing is refused', () => {
    expect(parse('--served-model-name a b --http-port 1').servedModelName).toEqual(['a', 'b'])
    expect(parse('', { DYN_SERVED_MODEL_NAME: 'm n,o' }).servedModelName).toEqual(['m', 'n', 'o'])
    expect(parse('--model-path models/tiny-llm --lora-paths a b').engineArgs).toContain('b')
    expect(() => parse('junk')).toThrow(/'junk' stands alone/)
    expect(() => parse('--http-port 1 junk')).toThrow(/'junk' stands alone/)
  })

  test("SGLang's flags without a model do not start the mock by mistake", () => {
    expect(() => parse('--model-pth models/tiny-llm')).toThrow(/did you mean --model-path/)
    expect(() => parse(`-f ${file('nested.yaml', 'Frontend: {http_port: 8000}')}`)).toThrow(/--Frontend is not ours/)
    expect(parse('--engine mock --tp 2').engine).toBe('mock')
  })

  test('an empty variable counts as absent', () => expect(parse('', { DYN_HTTP_PORT: '' }).httpPort).toBe(8000))

  test('on/off flags: bare, with a value, with --no-, from the environment', () => {
    const on = (line: string, env = {}) => parse(line, env).ignoreUnsupportedFields
    expect(on('--ignore-unsupported-fields')).toBe(true)
    expect(on('--ignore-unsupported-fields=false')).toBe(false)
    expect(on('--no-ignore-unsupported-fields', { DYN_IGNORE_OPENAI_FE_UNSUPPORTED_FIELDS: '1' })).toBe(false)
    expect(on('', { DYN_IGNORE_OPENAI_FE_UNSUPPORTED_FIELDS: 'True' })).toBe(true)
  })

  test('lists are comma-separated and repeatable; the first name goes to SGLang', () => {
    const settings = parse('--model-path m --served-model-name a,b --served-model-name c')
    expect(settings.servedModelName).toEqual(['a', 'b', 'c'])
    expect(settings.engineArgs).toEqual(['--model-path', 'm', '--served-model-name', 'a'])
  })

  test('a limit is taken away by None; an old variable is read when the new one is absent', () => {
    const env = { DYN_ACTIVE_PREFILL_TOKENS_THRESHOLD: '9', DYN_USE_KV_EVENTS: 'false' }
    expect(parse('', env)).toMatchObject({ activePrefillTokensThreshold: 9, useKvEvents: false })
    expect(parse('--active-prefill-tokens-threshold None', env).activePrefillTokensThreshold).toBeUndefined()
    expect(parse('', { ...env, DYN_ROUTER_USE_KV_EVENTS: 'true' }).useKvEvents).toBe(true)
  })

  test("Dynamo's DYN_LOG with targets gives the plain level", () => {
    expect(parse('', { DYN_LOG: 'debug,dynamo_runtime=warn' }).logLevel).toBe('debug')
  })
})

describe("SGLang's flags", () => {
  test('stay verbatim and in order, with the shared ones between them', () => {
    const line =
      '--tp 2 --model-path=/m --kv-events-config {"a":[1,2]} --http-port 1 --context-length 99 --trust-remote-code -- --endpoint x'
    const settings = parse(line)
    expect(settings.engineArgs.join(' ')).toBe(
      '--tp 2 --model-path=/m --kv-events-config {"a":[1,2]} --context-length 99 --trust-remote-code --endpoint x',
    )
    expect([settings.modelPath, settings.contextLength]).toEqual(['/m', 99])
  })

  test('get what the environment and the settings file say about shared settings', () => {
    const path = file('s.json', '{"page_size": 16, "tp": 2, "enable-metrics": true, "skip-server-warmup": true}')
    expect(parse('', { DYN_MODEL_PATH: '/m', DYN_SETTINGS: path }).engineArgs).toEqual(
      '--model-path /m --page-size 16 --enable-metrics --tp 2 --skip-server-warmup'.split(' '),
    )
  })

  test('their --config file also tells us the model', () => {
    const path = file('sglang.yaml', 'model-path: /from/config\ncontext_length: 77\ntp: 2\n')
    const settings = parse(`--config ${path}`)
    expect([settings.engine, settings.modelPath, settings.contextLength]).toEqual(['sglang', '/from/config', 77])
    expect(settings.engineArgs).toEqual(['--config', path])
  })

  test('a mistyped flag of ours is told', () => {
    expect(parse('--model-path m --speedup-ration 3').notices).toContain(
      '--speedup-ration is not ours and goes to SGLang; did you mean --speedup-ratio?',
    )
  })

  test('a flag that the chosen engine cannot use is told', () => {
    expect(parse('--engine mock --tp 2').notices).toEqual(['--tp has no effect with --engine mock'])
  })

  test('--embedding-worker adds --is-embedding once', () => {
    expect(parse('--model-path m --embedding-worker').engineArgs).toEqual(['--model-path', 'm', '--is-embedding'])
    expect(parse('--model-path m --is-embedding --embedding-worker').engineArgs).toEqual(['--model-path', 'm', '--is-embedding'])
    expect(parse('--model-path m --is-embedding').embeddingWorker).toBe(true)
  })

  test("Dynamo's agg and pd are SGLang's default mode", () => {
    expect(parse('--model-path m --disaggregation-mode agg --tp 2').engineArgs).toEqual('--model-path m --tp 2'.split(' '))
    expect(parse('--model-path m --disaggregation-mode=pd --tp 2').engineArgs).toEqual('--model-path m --tp 2'.split(' '))
  })
})

describe('rules between settings', () => {
  test('the engine follows from what is given', () => {
    expect(parse('').engine).toBe('mock')
    expect(parse('--model-path m').engine).toBe('sglang')
    expect(parse('--engine-url http://h:1').engine).toBe('http')
    expect(parse('--engine mock --model-path m').engine).toBe('mock')
  })

  test('the endpoint is always whole', () => {
    expect(parse('').endpoint).toBe('dyn://dynamo.backend.generate')
    expect(parse('--namespace prod').endpoint).toBe('dyn://prod.backend.generate')
    expect(parse('', { DYN_ENDPOINT: 'dyn://a.b.c' })).toMatchObject({ endpoint: 'dyn://a.b.c', namespace: 'a' })
  })

  test('the chosen section of --disagg-config becomes --config', () => {
    const path = file('disagg.yaml', 'prefill:\n  tp: 2\ndecode:\n  model-path: /m\n  page-size: 64\n  tp: 4\n')
    const settings = parse(`--disagg-config ${path} --disagg-config-key decode --tp 8`)
    expect(settings.engineArgs.slice(0, 3)).toEqual(['--tp', '8', '--config'])
    expect(readFileSync(settings.engineArgs[3]!, 'utf8')).toBe('model-path: /m\npage-size: 64\ntp: 4\n')
    expect([settings.engine, settings.modelPath, settings.pageSize]).toEqual(['sglang', '/m', 64])
  })

  test('a reserved parser is checked, told, and never given to SGLang', () => {
    const settings = parse('--model-path m --dyn-tool-call-parser hermes', { DYN_REASONING_PARSER: 'qwen3' })
    expect(settings.engineArgs).toEqual(['--model-path', 'm'])
    expect(settings.notices).toEqual([
      '--dyn-tool-call-parser hermes: accepted, but not yet in effect in this version',
      '--dyn-reasoning-parser qwen3: accepted, but not yet in effect in this version',
    ])
  })

  test('the health payload is a JSON object or a file with one', () => {
    expect(parse('', { DYN_HEALTH_CHECK_PAYLOAD: '{"prompt":"a"}' }).healthCheckPayload).toEqual({ prompt: 'a' })
    expect(parse(`--health-check-payload @${file('p.json', '{"prompt":"b"}')}`).healthCheckPayload).toEqual({ prompt: 'b' })
  })

  const template = file('t.jinja', '{{ messages }}')
  const disagg = file('d.yaml', 'prefill: {tp: 1}')
  test.each([
    ['--http-port', '--http-port', /needs a value/],
    ['--http-host=', '--http-host', /needs a value/],
    ['--dp-size 99999999999999999999', '--dp-size', /too large/],
    ['--grace-period-secs 90000', '--grace-period-secs', /at most 86400/],
    ['--model-path=', '--model-path', /needs a value/],
    ['--http-port --engine mock', '--http-port', /needs a value/],
    ['--http-port x', '--http-port', /whole number, not 'x'/],
    ['--http-port 70000', '--http-port', /at most 65535/],
    ['--speedup-ratio 0', '--speedup-ratio', /at least/],
    ['--engine vllm', '--engine', /one of: sglang, mock, http/],
    ['--engine sglang', '--model-path', /needs a model/],
    ['--engine http', '--engine-url', /needs the address/],
    ['--engine-url h:1', '--engine-url', /like http:/],
    ['--engine mock --engine-url http://h', '--engine-url', /is for --engine http/],
    ['--endpoint a.b.c', '--endpoint', /dyn:\/\/namespace/],
    ['--ignore-unsupported-fields=maybe', '--ignore-unsupported-fields', /true or false/],
    [`--custom-jinja-template ${template} --use-sglang-tokenizer`, '--custom-jinja-template', /exclude each other/],
    ['--custom-jinja-template /no/such', '--custom-jinja-template', /no file/],
    ['--disagg-config-key prefill', '--disagg-config', /given together/],
    [`--disagg-config ${disagg}`, '--disagg-config-key', /given together/],
    [`--disagg-config ${disagg} --disagg-config-key decode`, '--disagg-config-key', /no section 'decode'; it has: prefill/],
    ['--tls-cert-path c', '--tls-key-path', /given together/],
    ['--health-check-payload [1]', '--health-check-payload', /JSON object/],
    ['--dyn-tool-call-parser hermess', '--dyn-tool-call-parser', /one of: .*hermes/],
    ['--dyn-reasoning-parser nope', '--dyn-reasoning-parser', /one of: .*qwen3/],
    ['--image-diffusion-worker', '--image-diffusion-worker', /not in this version/],
    ['--model-path m --disaggregation-mode encode', '--disaggregation-mode', /not in this version/],
    ['--model-path m --disaggregation-mode prefill', '--disaggregation-mode', /no partner .* 'worker' once with prefill/],
    ['--embedding-worker --disaggregation-mode decode', '--disaggregation-mode', /embedding/],
    ['--router-mode kvv', '--router-mode', /one of: kv, round-robin/],
    ['--active-decode-blocks-threshold 1.5', '--active-decode-blocks-threshold', /at most 1/],
    ['--discovery-backend consul', '--discovery-backend', /one of: static, mem, file, etcd, nats, kubernetes/],
    ['--discovery-backend kubernetes', 'KUBERNETES_SERVICE_HOST', /needs a pod/],
    ['--worker-address tcp://h:1 --discovery-backend file', '--worker-address', /is for --discovery-backend static/],
    ['--worker-address h:1', '--worker-address', /like tcp:/],
    ['--workers 0', '--workers', /at least 1/],
    ['--workers 2 --engine-url http://h:1', '--workers', /is one/],
    ['--nats-tls-client-key-path k', '--nats-tls-client-cert-path', /given together/],
    ['-f /no/such.yaml', '--settings', /cannot read/],
    [`-f ${file('bad.yaml', '[1')}`, expect.any(String) as unknown as string, /not valid YAML/],
  ])('%s is refused', (line, param, message) => {
    const error = refusal(line)
    expect(error.code).toBe('invalid_setting')
    expect(error.param).toEqual(param)
    expect(error.message).toMatch(message)
  })

  test("a role for the prefill and decode way stays with SGLang's flags, and names its component", () => {
    const line = '--model-path m --disaggregation-mode prefill --disaggregation-bootstrap-port 12345'
    const settings = parseSettings(line.split(' '), {}, 'worker')
    expect(settings.engineArgs.join(' ')).toBe(line)
    expect([settings.endpoint, settings.bootstrapPort]).toEqual(['dyn://dynamo.prefill.generate', 12345])
  })

  test('a generation of workers has an endpoint of its own and is seen in the one namespace', () => {
    const settings = parseSettings([], { DYN_NAMESPACE: 'prod', DYN_NAMESPACE_WORKER_SUFFIX: 'v2' }, 'worker')
    expect(settings).toMatchObject({ endpoint: 'dyn://prod-v2.backend.generate', namespace: 'prod' })
    expect(parseSettings([], { DYN_NAMESPACE_PREFIX: 'prod' }, 'frontend').namespace).toBe('prod')
  })

  test('a frontend refuses what only an engine could use, and does not mind the variables and the file of its workers', () => {
    const frontend = (line: string, env = {}) => parseSettings(line.split(' ').filter(Boolean), env, 'frontend')
    expect(() => frontend('--tp 2')).toThrow(/--tp is not a flag of 'frontend'; SGLang's flags go to 'worker'/)
    expect(() => frontend('--router-mod kv')).toThrow(/did you mean --router-mode/)
    const shared = file('shared.yaml', 'engine: http\nmodel-path: /m\ntp: 2\ncustom-jinja-template: /only/there\n')
    expect(frontend(`-f ${shared}`)).toMatchObject({ command: 'frontend', engineArgs: [] })
  })

  test('what routes on a worker is told to belong to the frontend, unless it is a variable that both see', () => {
    const worker = parseSettings(['--router-mode', 'kv'], { DYN_ROUTER_TEMPERATURE: '0.5' }, 'worker')
    expect(worker.notices).toEqual(['--router-mode kv: the frontend routes, so it goes there; a worker has no use for it'])
  })

  test('a flag of another command is refused', () => {
    expect(() => parseSettings(['--python', 'p'], {}, 'frontend')).toThrow(/--python does not belong to 'frontend' but to: serve, worker/)
  })
})

describe("the documents' flag table", () => {
  const content = readFileSync(join(import.meta.dir, '../fixtures/dynamo/sglang-flags.txt'), 'utf8')
  const rows = content
    .split('\n')
    .filter((line) => line.startsWith('--'))
    .map((line) => line.split(' ') as [string, string, string])
  const help = settingsHelp('serve', '').split('\n')

  test('has all its rows', () => expect(rows.length).toBe(13))

  test.each(rows)('%s, %s, default %s', (flag, env, standard) => {
    const setting = (Object.values(table) as Setting[]).find((one) => one.flags.includes(flag))!
    expect(setting.env).toBe(env)
    expect(setting.default).toBe(standard === 'false' ? false : undefined)
    const line = help.findIndex((text) => text.startsWith(`  ${flag} `))
    expect(help[line]).toContain(`[${env}]`)
    expect(help[line + 1]).toContain(setting.doc.slice(0, 20))
  })
})

describe("the router's flags", () => {
  const content = readFileSync(join(import.meta.dir, '../fixtures/dynamo/router-flags.txt'), 'utf8')
  const rows = content
    .split('\n')
    .filter((line) => line.startsWith('--'))
    .map((line) => line.split(' ') as [string, string, string])
  /** Where ours differs, and why. */
  const better: Record<string, string> = {
    '--router-mode': 'the seeds promise KV-aware routing; round-robin loses the caches',
    '--router-replica-sync': 'several frontends that do not tell each other overload a worker together',
    '--router-predicted-ttl-secs': 'requests that come before the first KV event would scatter',
    '--shared-cache-multiplier': 'reserved',
  }

  test('has all of them', () => expect(rows.length).toBe(41))

  test.each(rows)('%s, %s, default %s', (name, env, standard) => {
    const setting = (Object.values(table) as Setting[]).find((one) => one.flags.includes(name))!
    expect(setting.env).toBe(env)
    if (!better[name]) expect(String(setting.default ?? 'None')).toBe(standard)
  })
})

test('every setting has a name, a line of help and its own spellings', () => {
  const all = Object.values(table) as Setting[]
  const flags = all.flatMap((setting) => setting.flags)
  const variables = all.flatMap((setting) => [...(setting.env ? [setting.env] : []), ...(setting.also ?? [])])
  expect(new Set(flags).size).toBe(flags.length)
  expect(new Set(variables).size).toBe(variables.length)
  for (const setting of all) {
    expect(setting.flags.length + (setting.env ? 1 : 0)).toBeGreaterThan(0)
    expect(setting.doc).not.toBe('')
  }
})

test('every setting that has an effect reaches a process', () => {
  const folder = join(import.meta.dir, '../../src/cli')
  const code = [...new Bun.Glob('**/*.ts').scanSync(folder)]
    .filter((path) => !path.startsWith('settings/'))
    .map((path) => readFileSync(join(folder, path), 'utf8'))
    .join('\n')
  const elsewhere: Record<string, string> = {
    isEmbedding: 'becomes embeddingWorker',
    enableMetrics: "SGLang's alone",
    disaggregationMode: "SGLang's, and of the mock",
    bootstrapPort: "SGLang's alone",
    sglangConfig: "SGLang's alone",
    disaggConfig: "becomes SGLang's --config",
    disaggConfigKey: "becomes SGLang's --config",
    settingsFile: 'read by parseSettings',
    namespacePrefix: 'becomes namespace',
    namespaceSuffix: 'part of endpoint',
  }
  const all = Object.entries(table as Record<string, Setting>)
  const unused = all.filter(([name, { state }]) => !state && !elsewhere[name] && !new RegExp(`\\b${name}\\b`).test(code))
  expect(unused.map(([name]) => name)).toEqual([])
})
