// A clip encoder around one that takes a frame at a time: calls wait for each other, the first failure is everybody's, abort wins over all.
import { AppError } from '../../lib/errors.ts'
import type { ClipEncoder, EncodedClip } from './clip-encoder.ts'

/** What an encoder must bring: calls never overlap, and nothing follows a failure but `abort`. */
export interface OneByOne {
  write(frame: Uint8Array): Promise<void>
  finish(): Promise<EncodedClip>
  /** Gives everything back now; called exactly once when the clip did not finish. A pending call may then reject in any way. */
  abort(): void
}

/** `open` runs at the first frame. Each must have `size` bytes, and there must be `count` of them: a shorter clip is a failure, not a file. */
export function inOrder({ size, count }: { size: number; count: number }, open: () => Promise<OneByOne>): ClipEncoder {
  let opened: Promise<OneByOne> | undefined
  let last: Promise<unknown> = Promise.resolve()
  let waiting = 0
  let taken = 0
  let failure: AppError | undefined
  let finished = false

  const giveUp = (why: AppError) => {
    if (failure !== undefined || finished) return
    failure = why
    // An encoder that is still starting is ended when it is there.
    opened?.then(
      (encoder) => encoder.abort(),
      () => {},
    )
  }
  const next = <T>(step: (encoder: OneByOne) => Promise<T>): Promise<T> => {
    const run = async (): Promise<T> => {
      if (failure !== undefined) throw failure
      try {
        opened ??= open()
        const encoder = await opened
        if (failure !== undefined) throw failure
        const done = await step(encoder)
        if (failure !== undefined) throw failure
        return done
      } catch (thrown) {
        giveUp(asFailure(thrown))
        throw failure
      }
    }
    const result = last.then(run)
    last = result.catch(() => {})
    return result
  }

  return {
    async write(frame) {
      if (frame.length !== size) {
        throw new AppError('encoding_failed', { message: `A frame of ${frame.length} bytes came, ${size} were expected.` })
      }
      waiting += frame.length
      try {
        await next(async (encoder) => {
          await encoder.write(frame)
          taken++
        })
      } finally {
        waiting -= frame.length
      }
    },
    finish: () =>
      next(async (encoder) => {
        if (taken !== count || count === 0) {
          throw new AppError('encoding_failed', { message: `The clip has ${taken} frames, ${count} were expected.` })
        }
        const clip = await encoder.finish()
        finished = failure === undefined
        return clip
      }),
    abort: () => giveUp(new AppError('client_closed_request', { message: 'The clip was given up.' })),
    inFlight: () => waiting,
  }
}

function asFailure(thrown: unknown): AppError {
  if (thrown instanceof AppError) return thrown
  return new AppError('encoding_failed', { message: 'The clip could not be encoded.', cause: thrown })
}
