// Questions to a running SGLang encoder server: a picture or clip by POST /encode, its rows on a PULL socket of ours.
import { AppError } from '../../../lib/errors.ts'
import { newId } from '../../../lib/ids.ts'
import { log } from '../../../lib/log.ts'
import { PickleError } from '../../../transport/pickle/read.ts'
import { bindSocket, type ZmtpSocket } from '../../../transport/zmtp/sockets.ts'
import { readText, send } from '../../sglang/http/client.ts'
import { type EncoderFailure, type EncoderFrame, readEncoderFrame } from './frame.ts'

/** Its --encoder-transfer-backend: decides the form in which a port is told. */
export type Transfer = 'zmq_to_scheduler' | 'zmq_to_tokenizer'

/** Any file that SGLang's image or video loader reads. */
export interface Medium {
  modality: 'IMAGE' | 'VIDEO'
  file: Uint8Array
  contentType: string
}

export interface EncoderClientOptions {
  /** `http://host:port` of the server. */
  url: string
  /** The address of this machine that the server can reach; our socket listens there. */
  receiveHost: string
}

/** How it says that it has nothing to read clips with: no torchcodec (nor decord) in its environment, or no way for this model's (sglang 0.5.23, encoder/preprocessor.py). */
const noClips = /No module named|Video processing is not supported|No video processor/

/** Rows are pushed before /encode is answered; what has not come this long after, will not. */
const afterAnswerMs = 5000

export class EncoderClient {
  readonly url: string
  private readonly host: string
  private readonly port: number
  private readonly socket: ZmtpSocket
  private readonly waiting = new Map<string, (frame: EncoderFrame | EncoderFailure) => void>()

  constructor({ url, receiveHost }: EncoderClientOptions) {
    this.url = url.replace(/\/+$/, '')
    this.host = receiveHost
    const bracketed = receiveHost.includes(':') ? `[${receiveHost}]` : receiveHost
    this.socket = bindSocket({ type: 'PULL', endpoint: `tcp://${bracketed}:0`, onMessage: (parts) => this.received(parts) })
    this.port = Number(this.socket.endpoint.slice(this.socket.endpoint.lastIndexOf(':') + 1))
  }

  /** Rows of one picture or clip. Rejects with `invalid_image`, `engine_unavailable` (nothing listens), `engine_failed`, or the signal's reason. */
  async encode({ modality, file, contentType }: Medium, transfer: Transfer, signal: AbortSignal): Promise<EncoderFrame> {
    // The server knows requests by this name alone, whoever asks: of two with one name each may get the other's rows.
    const reqId = `dsgl-${newId()}_local_part_0`
    const rows = Promise.withResolvers<EncoderFrame | EncoderFailure>()
    const ended = new AbortController()
    const onAbort = () => ended.abort(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    if (signal.aborted) onAbort()
    ended.signal.addEventListener('abort', () => rows.reject(ended.signal.reason), { once: true })
    rows.promise.catch(() => {})
    this.waiting.set(reqId, rows.resolve)
    const item = `data:${contentType};base64,${Buffer.from(file.buffer, file.byteOffset, file.byteLength).toString('base64')}`
    const body = {
      ...{ req_id: reqId, num_parts: 1, part_idx: 0, modality, mm_items: [item], time_stats_json: null },
      ...{ prefill_host: this.host, embedding_port: transfer === 'zmq_to_scheduler' ? [this.port] : this.port },
    }
    let timer: ReturnType<typeof setTimeout> | undefined
    try {
      await this.ask(modality, body, ended.signal)
      timer = setTimeout(
        () => ended.abort(new AppError('engine_failed', { message: "SGLang's encoder answered, but its rows did not come." })),
        afterAnswerMs,
      )
      const frame = await rows.promise
      if ('error' in frame) throw refused(frame.code, frame.error, modality)
      return frame
    } catch (thrown) {
      throw ended.signal.aborted ? ended.signal.reason : thrown
    } finally {
      clearTimeout(timer)
      signal.removeEventListener('abort', onAbort)
      this.waiting.delete(reqId)
    }
  }

  /** True when its own trial encode works (or something else runs in it). */
  async healthy(signal: AbortSignal): Promise<boolean> {
    try {
      const reply = await send(`${this.url}/health`, {}, undefined, signal)
      await readText(reply)
      return reply.status === 200
    } catch {
      return false // Not up, or gone.
    }
  }

  close(): void {
    this.socket.close()
  }

  private async ask(modality: Medium['modality'], body: unknown, signal: AbortSignal): Promise<void> {
    let status: number
    let text: string
    try {
      const reply = await send(`${this.url}/encode`, { 'content-type': 'application/json' }, JSON.stringify(body), signal)
      status = reply.status
      text = await readText(reply)
    } catch (cause) {
      throw new AppError('engine_unavailable', { message: "SGLang's encoder does not answer.", cause, retryAfterSecs: 1 })
    }
    if (status !== 200) throw refused(status, messageOf(text), modality)
  }

  private received(parts: Uint8Array[]): void {
    try {
      const frame = readEncoderFrame(parts)
      // Rows of a picture that nobody waits for any more are dropped.
      this.waiting.get(frame.reqId)?.(frame)
    } catch (thrown) {
      if (!(thrown instanceof PickleError)) throw thrown
      log.warn({ err: thrown }, "a message of SGLang's encoder could not be read")
    }
  }
}

function messageOf(text: string): string {
  try {
    const { message } = JSON.parse(text) as { message?: unknown }
    return typeof message === 'string' ? message : text
  } catch {
    return text
  }
}

/** SGLang's words, without the file that it may quote. */
function refused(status: number, text: string, modality: Medium['modality']): AppError {
  const said = text.replace(/data:[^\s:]{40,}/g, 'data:…').slice(0, 300)
  if (modality === 'VIDEO' && noClips.test(said))
    return new AppError('unsupported_parameter', { message: `SGLang's encoder takes no clips here (it needs torchcodec): ${said}` })
  if (status >= 400 && status < 500)
    return new AppError('invalid_image', { message: `SGLang's encoder refused the ${modality === 'IMAGE' ? 'picture' : 'clip'}: ${said}` })
  const code = status === 503 ? 'engine_unavailable' : 'engine_failed'
  return new AppError(code, { message: `SGLang's encoder failed: ${said}` })
}
