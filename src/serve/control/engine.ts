// POST /engine/{name}: operations on the engines, one or all. On the system port, and on the API port only where that is asked for.
import type { Context } from 'hono'
import { AppError, toAppError } from '../../lib/errors.ts'
import type { Logger } from '../../lib/log.ts'
import { errorBody } from '../../openai/errors.ts'
import { defaultLimits, type Limits } from '../http/limits.ts'
import { failureIn, type Operation, operations } from './operations.ts'
import { objectBody, type Route } from './route.ts'

/** What operations are run on: a text engine's worker, or a maker of images. */
export interface Controlled {
  readonly id: string
  /** Where several models are served and operations are of one: its names. `model` in the query or the body chooses by them. */
  readonly models?: readonly string[]
  readonly engine: { readonly ready: boolean; control(name: string, args: Record<string, unknown>): Promise<unknown> }
}

export interface EngineRouteDeps {
  /** Those that have the operation. */
  workers(operation: string): readonly Controlled[]
  /** Absent: those of text engines. */
  operations?: ReadonlyMap<string, Operation>
  limits?: Limits
  log: Logger
}

interface Ran {
  worker_id: string
  status: 'ok' | 'error'
  result?: unknown
  message?: string
}

/** /engine/{name} and /engine/control/{name} (Dynamo's spellings), the list at GET /engine, and POST /clear_kv_blocks. */
export function engineRoutes(deps: EngineRouteDeps): Route[] {
  const named = (c: Context) => answer(c, c.req.path.slice(c.req.path.lastIndexOf('/') + 1), deps)
  return [
    { path: '/engine', get: async () => Response.json(listed(deps.operations ?? operations)) },
    { path: '/engine/:name', post: named },
    { path: '/engine/control/:name', post: named },
    { path: '/clear_kv_blocks', post: (c) => answer(c, 'clear_kv_blocks', deps) },
  ]
}

function listed(all: ReadonlyMap<string, Operation>) {
  return { operations: [...all].map(([name, { summary }]) => ({ name, summary })) }
}

async function answer(c: Context, name: string, deps: EngineRouteDeps): Promise<Response> {
  const ran = await runOperation(c, name, deps)
  if (ran.failed === undefined) return Response.json({ status: 'ok', operation: name, results: ran.results })
  return Response.json({ status: 'error', operation: name, ...errorBody(ran.failed), results: ran.results }, { status: ran.failed.status })
}

/** Runs it on the worker that the query or the body names, or on all. Throws where it cannot begin. */
export async function runOperation(
  c: Context,
  name: string,
  deps: EngineRouteDeps,
): Promise<{ failed: AppError | undefined; results: Ran[] }> {
  const known = deps.operations ?? operations
  const operation = known.get(name)
  if (operation === undefined)
    throw new AppError('route_not_found', {
      message: `There is no engine operation '${name.slice(0, 100)}'; there are ${[...known.keys()].join(', ')}.`,
    })
  const { worker_id: inBody, ...args } = await objectBody(c.req.raw, deps.limits ?? defaultLimits)
  const workers = chosen(c.req.query('worker_id') ?? inBody, ofModel(c, args, deps.workers(name)))
  const failures: AppError[] = []
  const results = await Promise.all(workers.map((worker) => run(worker, operation, args, failures, deps.log)))
  const failed = failures[0]
  deps.log.info(
    { operation: name, workers: workers.map(({ id }) => id), failed: failures.length, reason: failed?.message },
    'engine operation',
  )
  return { failed, results }
}

/** The workers of the model that was named, or all; the name is taken from `args`. Throws `model_not_found`. */
function ofModel(c: Context, args: Record<string, unknown>, workers: readonly Controlled[]): readonly Controlled[] {
  if (!workers.some(({ models }) => models !== undefined)) return workers
  const { model } = args
  delete args.model
  const name = c.req.query('model') ?? model
  if (name === undefined || name === null) return workers
  const own = workers.filter(({ models }) => models?.includes(String(name)))
  if (own.length > 0) return own
  const known = [...new Set(workers.flatMap(({ models = [] }) => models.slice(0, 1)))].join(', ')
  throw new AppError('model_not_found', {
    message: `No worker of a model '${String(name).slice(0, 200)}'; there are ${known}.`,
    param: 'model',
  })
}

/** The worker that was named, or all. Throws `invalid_value` for one that is not there, `engine_unavailable` when there is none at all. */
function chosen(id: unknown, workers: readonly Controlled[]): readonly Controlled[] {
  if (workers.length === 0) throw new AppError('engine_unavailable', { message: 'There is no worker yet.', retryAfterSecs: 5 })
  if (id === undefined || id === null) return workers
  const worker = workers.find((one) => one.id === String(id))
  if (worker !== undefined) return [worker]
  throw new AppError('invalid_value', {
    message: `No worker ${String(id).slice(0, 100)}; known: ${workers.map((one) => one.id).join(', ')}.`,
    param: 'worker_id',
  })
}

async function run(
  worker: Controlled,
  operation: Operation,
  args: Record<string, unknown>,
  failures: AppError[],
  log: Logger,
): Promise<Ran> {
  const wasReady = worker.engine.ready
  let done = 0
  try {
    let result: unknown = null
    for (const call of operation.calls(args)) {
      result = await worker.engine.control(call.name, call.args)
      const failure = failureIn(result)
      if (failure !== undefined) throw new AppError('engine_rejected', { message: failure, status: 409 })
      done++
    }
    return { worker_id: worker.id, status: 'ok', result }
  } catch (thrown) {
    const error = toAppError(thrown)
    failures.push(error)
    const { undo } = operation
    if (undo !== undefined && done > 0 && wasReady)
      await worker.engine
        .control(undo.name, undo.args)
        .catch((cause) => log.warn({ worker: worker.id, operation: undo.name, reason: toAppError(cause).message }, 'not undone'))
    return { worker_id: worker.id, status: 'error', message: error.message }
  }
}
