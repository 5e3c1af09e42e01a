// The part of an SGLang language server that talks to encoders: asks /encode, has a PULL socket a rank, gathers what is pushed.
import { isCall, isGlobal, type ReadValue, readPickle } from '../../src/transport/pickle/read.ts'
import { bindSocket, type ZmtpSocket } from '../../src/transport/zmtp/sockets.ts'

const allowed = new Set([
  'sglang.srt.disaggregation.encoder.receiver.EmbeddingData',
  'sglang.srt.disaggregation.encode_receiver.EmbeddingData',
  'sglang.srt.managers.schedule_batch.Modality',
  'sglang.srt.multimodal.modality.Modality',
  'torch.float32',
  'torch.bfloat16',
  'torch.float16',
  'torch.LongTensor',
])

export interface Received {
  /** The class by which the server's release has it. */
  name: string
  /** Attributes of the EmbeddingData. */
  fields: Record<string, unknown>
  rows: Uint8Array | undefined
}

export interface LanguageServer {
  /** host:port of each rank. */
  readonly ranks: readonly string[]
  /** Messages of a rank, in order of their coming. */
  received(rank?: number): readonly Received[]
  /** The next message of a rank that was not asked for yet. */
  next(rank?: number): Promise<Received>
  encode(url: string, body: Record<string, unknown>, signal?: AbortSignal): Promise<{ status: number; body: unknown }>
  /** Tells the encoder the address of each rank (or of those named). */
  tellReceivers(url: string, reqId: string, ranks?: readonly number[]): Promise<number[]>
  close(): void
}

export function languageServer(ranks = 1): LanguageServer {
  const boxes = Array.from({ length: ranks }, () => new Box())
  const sockets: ZmtpSocket[] = boxes.map((box) =>
    bindSocket({ type: 'PULL', endpoint: 'tcp://127.0.0.1:0', onMessage: (parts) => box.put(parts) }),
  )
  const addresses = sockets.map(({ endpoint }) => endpoint.slice('tcp://'.length))
  return {
    ranks: addresses,
    received: (rank = 0) => boxes[rank]!.all,
    next: (rank = 0) => boxes[rank]!.next(),
    async encode(url, body, signal) {
      const whole = {
        num_parts: 1,
        part_idx: 0,
        modality: 'IMAGE',
        prefill_host: '127.0.0.1',
        embedding_port: null,
        time_stats_json: null,
        ...body,
      }
      const response = await fetch(`${url}/encode`, { method: 'POST', body: JSON.stringify(whole), ...(signal && { signal }) })
      return { status: response.status, body: await response.json() }
    },
    tellReceivers: (url, reqId, which = boxes.map((_, i) => i)) =>
      Promise.all(
        which.map(async (rank) => {
          const body = { req_id: reqId, receive_count: ranks, receive_url: addresses[rank], modality: 'IMAGE' }
          return (await fetch(`${url}/scheduler_receive_url`, { method: 'POST', body: JSON.stringify(body) })).status
        }),
      ),
    close() {
      for (const socket of sockets) socket.close()
    },
  }
}

class Box {
  readonly all: Received[] = []
  private taken = 0
  private waiting: (() => void)[] = []

  put(parts: Uint8Array[]): void {
    this.all.push({ ...objectOf(parts[0]!), rows: parts[1]?.slice() })
    for (const wake of this.waiting.splice(0)) wake()
  }

  async next(): Promise<Received> {
    const at = this.taken++
    while (this.all.length <= at) await new Promise<void>((wake) => this.waiting.push(wake))
    return this.all[at]!
  }
}

function objectOf(pickle: Uint8Array): { name: string; fields: Record<string, unknown> } {
  const { value } = readPickle(pickle, allowed)
  if (!isCall(value) || !(value.state instanceof Map)) throw new Error('no object')
  return { name: value.callee, fields: Object.fromEntries([...value.state].map(([name, field]) => [name, plain(field)])) }
}

/** Classes by their names, calls as [name, …arguments]. */
function plain(value: ReadValue): unknown {
  if (isGlobal(value)) return value.name
  if (isCall(value)) return [value.callee, ...value.args.map(plain)]
  return Array.isArray(value) ? value.map(plain) : value
}
