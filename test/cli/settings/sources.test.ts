import { describe, expect, test } from 'bun:test'
import { file, parse } from './parse.ts'

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
