// How requests end here other than by their last token, in the shapes that SGLang gives them.
import { AppError } from '../../lib/errors.ts'
import type { Finish } from '../types.ts'

export const cancelled: Finish = { kind: 'abort', message: 'the request was cancelled' }

export function badRequest(message: string): Finish {
  return { kind: 'abort', message, status: 400, errorType: 'BadRequestError' }
}

/** The abort of an embedding's request, as `embed` rejects with it. */
export function embedError(finish: Finish & { kind: 'abort' }): AppError {
  return finish.status === undefined
    ? new AppError('client_closed_request', { message: finish.message })
    : new AppError('engine_rejected', { message: finish.message, status: finish.status })
}
