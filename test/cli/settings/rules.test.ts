import { describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { parseSettings } from '../../../src/cli/settings/parse-settings.ts'
import { file, parse, refusal } from './parse.ts'

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
    ['--model-path m --disaggregation-mode encode', '--disaggregation-mode', /belongs to 'worker'/],
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

  test('serve joins the fleet that a folder, a broker or an address names', () => {
    expect(parse('', { DYN_FILE_KV: '/d' })).toMatchObject({ discoveryBackend: 'file', notices: [] })
    expect(parse('--model-path m --disaggregation-mode prefill', { DYN_FILE_KV: '/d' })).toMatchObject({ disaggregationMode: 'prefill' })
    expect(parse('')).toMatchObject({ discoveryBackend: 'static' })
  })

  test('what routes on a worker is told to belong to the frontend, unless it is a variable that both see', () => {
    const worker = parseSettings(['--router-mode', 'kv'], { DYN_ROUTER_TEMPERATURE: '0.5' }, 'worker')
    expect(worker.notices).toEqual(['--router-mode kv: the frontend routes, so it goes there; a worker has no use for it'])
  })

  test("a frontend is told that the migration limit is the worker's", () => {
    expect(parseSettings(['--migration-limit', '9'], {}, 'frontend').notices).toEqual([
      '--migration-limit 9: each worker brings its own; set it there',
    ])
  })

  test('a flag of another command is refused', () => {
    expect(() => parseSettings(['--python', 'p'], {}, 'frontend')).toThrow(/--python does not belong to 'frontend' but to: serve, worker/)
  })
})
