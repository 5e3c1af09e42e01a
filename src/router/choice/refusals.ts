// What a request that cannot be placed is told.
import { AppError } from '../../lib/errors.ts'
import type { Slot } from '../members/slots.ts'
import type { Placement } from '../router.ts'

/** No engine that it may use is ready; `bound`: the slot that holds its session. */
export function noneReady({ workerId }: Placement, bound: Slot | undefined): AppError {
  let which = 'No engine is ready.'
  if (bound !== undefined) which = `Worker ${bound.workerId}, which holds this session, is not ready.`
  else if (workerId !== undefined) which = `Worker ${workerId} is not ready.`
  return new AppError('engine_unavailable', {
    message: `${which} It is starting, restarting or paused; try again shortly.`,
    retryAfterSecs: 5,
  })
}

/** All are beyond a busy threshold. */
export function allBusy(status: number): AppError {
  return new AppError('overloaded', { message: 'Every worker is busy. Try again shortly.', status, retryAfterSecs: 1 })
}

export function needsWorker(mode: string): AppError {
  return new AppError('missing_parameter', {
    message: `Router mode ${mode} needs a worker: name one in nvext.backend_instance_id or x-dynamo-worker-instance-id.`,
    param: 'nvext.backend_instance_id',
  })
}
