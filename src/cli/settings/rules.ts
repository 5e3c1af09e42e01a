// The rules between settings: what is refused at start, and what to write instead.
import { existsSync } from 'node:fs'
import { AppError } from '../../lib/errors.ts'
import { closest } from './closest.ts'
import { spellings } from './read-settings.ts'
import { type Command, nameOf, type Setting } from './setting.ts'
import { type Settings, table, type Values } from './settings.ts'

/** Settings that exclude or need each other, once the engine and the discovery are known. */
export function checkTogether(draft: Values, engine: Settings['engine'], command: Command, discovery: Settings['discoveryBackend']): void {
  for (const [name, setting] of Object.entries(table) as [keyof Values, Setting][]) {
    if (setting.state === 'refused' && draft[name]) throw invalid(nameOf(setting), `${nameOf(setting)} is not in this version yet`)
  }
  if (draft.useSglangTokenizer && draft.customJinjaTemplate !== undefined) {
    throw invalid(
      '--custom-jinja-template',
      '--custom-jinja-template and --use-sglang-tokenizer exclude each other: with the latter SGLang renders its own template',
    )
  }
  if (command === 'frontend') return
  if (draft.useSglangTokenizer && engine !== 'sglang') {
    throw invalid('--use-sglang-tokenizer', `--use-sglang-tokenizer needs --engine sglang, not ${engine}`)
  }
  if (draft.useSglangTokenizer && draft.embeddingWorker) {
    throw invalid('--use-sglang-tokenizer', '--use-sglang-tokenizer serves chat completions only; leave it out for --embedding-worker')
  }
  if (draft.customJinjaTemplate !== undefined && !existsSync(draft.customJinjaTemplate)) {
    throw invalid('--custom-jinja-template', `--custom-jinja-template: there is no file '${draft.customJinjaTemplate}'`)
  }
  checkRole(draft, command === 'serve' && (discovery === 'static' || discovery === 'mem') && draft.workerAddresses.length === 0)
  checkNodes(draft, engine, command)
  if (draft.workers > 1 && engine === 'http') {
    throw invalid('--workers', '--workers starts engines of its own; a server at --engine-url is one: run a worker for each and a frontend')
  }
}

function checkRole({ disaggregationMode: mode, embeddingWorker, isEmbedding }: Values, alone: boolean): void {
  if (mode !== 'prefill' && mode !== 'decode') return
  if (embeddingWorker || isEmbedding)
    throw invalid('--disaggregation-mode', `--disaggregation-mode ${mode}: an embedding has no ${mode} of its own`)
  if (alone) {
    throw invalid(
      '--disaggregation-mode',
      `'serve' alone would have no partner for --disaggregation-mode ${mode}: run 'frontend', and 'worker' once with prefill and once with decode`,
    )
  }
}

/** One model on several hosts. */
function checkNodes({ nnodes, nodeRank, distInitAddr, workers }: Values, engine: Settings['engine'], command: Command): void {
  if (nnodes === 1 && nodeRank === 0) return
  if (engine !== 'sglang') throw invalid('--nnodes', `--nnodes needs --engine sglang, not ${engine}`)
  if (nodeRank >= nnodes) throw invalid('--node-rank', `--node-rank ${nodeRank}: with --nnodes ${nnodes} the last one is ${nnodes - 1}`)
  if (distInitAddr === undefined)
    throw invalid(
      '--dist-init-addr',
      `--nnodes ${nnodes} needs --dist-init-addr HOST:PORT, the same on every host: where host 0 is reached`,
    )
  if (workers > 1)
    throw invalid('--workers', '--workers starts engines on this machine; a model on several hosts is one engine: leave --workers out')
  if (nodeRank > 0 && command === 'serve')
    throw invalid(
      '--node-rank',
      `'serve' takes requests, which only host 0 does: start this one with the same flags as 'worker' (dynamo-sglang worker … --node-rank ${nodeRank})`,
    )
}

/** Settings that only make sense together. */
export function checkPairs(draft: Values): void {
  bothOrNeither('--disagg-config', draft.disaggConfig, '--disagg-config-key', draft.disaggConfigKey)
  bothOrNeither('--tls-cert-path', draft.tlsCertPath, '--tls-key-path', draft.tlsKeyPath)
  bothOrNeither('ETCD_AUTH_USERNAME', draft.etcdUser, 'ETCD_AUTH_PASSWORD', draft.etcdPassword)
  bothOrNeither('ETCD_AUTH_CLIENT_CERT', draft.etcdCert, 'ETCD_AUTH_CLIENT_KEY', draft.etcdKey)
  bothOrNeither('--nats-tls-client-cert-path', draft.natsCert, '--nats-tls-client-key-path', draft.natsKey)
  if (draft.disaggConfig !== undefined && draft.sglangConfig !== undefined) {
    throw invalid('--disagg-config', "--disagg-config becomes SGLang's --config, so the two exclude each other")
  }
}

function bothOrNeither(oneName: string, one: unknown, otherName: string, other: unknown): void {
  if ((one === undefined) === (other === undefined)) return
  const missing = one === undefined ? oneName : otherName
  throw invalid(missing, `${oneName} and ${otherName} must be given together: ${missing} is missing`)
}

/** Flags for SGLang without a model are a mistake, not a wish for made-up text. */
export function refuseForeign(engineArgs: readonly string[]): void {
  const known = spellings(table)
  const flag = engineArgs.find((word) => word.startsWith('--') && !known.has(word.split('=')[0]!))?.split('=')[0]
  if (flag === undefined) return
  const near = closest(flag, known.keys())
  throw invalid(
    flag,
    `${flag} is not ours${near === undefined ? '' : ` (did you mean ${near}?)`}, and without --model-path there is no SGLang that it could go to. ` +
      'Give --model-path, or --engine mock to try the server without a model.',
  )
}

/** A frontend has no engine that a flag could go to. */
export function refuseOnFrontend(words: readonly string[]): void {
  const known = spellings(table)
  const flag = words.find((word) => word.startsWith('-') && !known.has(word.split('=')[0]!))?.split('=')[0]
  if (flag === undefined) return
  const near = closest(flag, known.keys())
  throw invalid(
    flag,
    `${flag} is not a flag of 'frontend'${near === undefined ? "; SGLang's flags go to 'worker'" : `; did you mean ${near}?`}`,
  )
}

export function invalid(param: string, message: string): AppError {
  return new AppError('invalid_setting', { param, message })
}
