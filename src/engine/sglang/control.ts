// Calls of the bridge (CALL/REPLY): flush_cache, metrics, profiles, weights, LoRA, and every coroutine of SGLang's TokenizerManager.
import { AppError } from '../../lib/errors.ts'
import { callFrame } from './frames.ts'

interface Waiting {
  method: string
  resolve(value: unknown): void
  reject(error: AppError): void
  timer: ReturnType<typeof setTimeout>
}

export interface CallFailure {
  type?: string
  message?: string
  status?: number
}

/** Weights from disk take minutes; a call that never ends must still end. */
const defaultTimeoutMs = 600_000

const quick = new Set(['ping', 'metrics', 'server_info'])

export class Calls {
  private readonly waiting = new Map<number, Waiting>()
  private nextId = 1

  /** Sends the call by `send`; rejects with an AppError when it fails, times out or the bridge dies. */
  call(send: (frame: Uint8Array) => void, method: string, args: Record<string, unknown>, timeoutMs = defaultTimeoutMs): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const id = this.nextId++
      const timer = setTimeout(() => {
        this.waiting.delete(id)
        reject(new AppError('engine_failed', { message: `The engine did not answer ${method} within ${timeoutMs / 1000} s.` }))
      }, timeoutMs)
      this.waiting.set(id, { method, resolve, reject, timer })
      send(callFrame(id, method, args))
    })
  }

  /** A REPLY has come. */
  reply(id: number, ok: boolean, value: unknown): void {
    const call = this.waiting.get(id)
    if (!call) return // It timed out before.
    this.waiting.delete(id)
    clearTimeout(call.timer)
    if (ok) call.resolve(value)
    else call.reject(failed(call.method, value as CallFailure))
  }

  /** Whether an operation runs that may rightly keep the engine from everything else. */
  get busy(): boolean {
    for (const { method } of this.waiting.values()) if (!quick.has(method)) return true
    return false
  }

  /** Nobody will answer any more. */
  failAll(error: AppError): void {
    for (const call of this.waiting.values()) {
      clearTimeout(call.timer)
      call.reject(error)
    }
    this.waiting.clear()
  }
}

function failed(method: string, failure: CallFailure): AppError {
  const message = failure.message || `${method} failed in the engine.`
  if (failure.type === 'not_found') return new AppError('route_not_found', { message })
  const status = failure.status
  if (status !== undefined && status >= 400 && status < 500) return new AppError('engine_rejected', { message, status })
  return new AppError('engine_failed', { message, status })
}
