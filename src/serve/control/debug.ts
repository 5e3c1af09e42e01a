// GET and POST /debug/route: where a request would go now, with every candidate's score. GET /debug/workers: who is there and how loaded.
import type { Context } from 'hono'
import { AppError } from '../../lib/errors.ts'
import type { Api } from '../../openai/call.ts'
import { chatOf } from '../../openai/chat.ts'
import { completionsOf } from '../../openai/completions.ts'
import type { ModelRegistry } from '../../pipeline/model.ts'
import type { TextRequest } from '../../pipeline/types.ts'
import type { CandidateScore, Decision } from '../../router/router.ts'
import type { Worker } from '../../router/workers.ts'
import type { Limits } from '../http/limits.ts'
import { objectBody, type Route } from './route.ts'

export interface DebugDeps extends Api {
  workers(): readonly Worker[]
  /** For the bookings in /debug/workers; without it there are none. */
  models?: ModelRegistry
  limits: Limits
}

export function debugRoutes(deps: DebugDeps): Route[] {
  return [
    { path: '/debug/route', get: (c) => byPrompt(c, deps), post: (c) => byBody(c, deps) },
    { path: '/debug/workers', get: async () => Response.json({ workers: describe(deps) }) },
  ]
}

/** `?prompt=…&model=…`, for a browser or curl: the text as a completion's prompt. `?model` may be left out while one model is served. */
async function byPrompt(c: Context, deps: DebugDeps): Promise<Response> {
  const prompt = c.req.query('prompt')
  if (prompt === undefined || prompt === '')
    throw new AppError('missing_parameter', { message: "Missing required parameter: 'prompt'.", param: 'prompt' })
  const model = c.req.query('model') ?? onlyModel(deps)
  return told({ model, prompt }, c, deps)
}

/** The body of a chat or completions request, as it would be sent. */
async function byBody(c: Context, deps: DebugDeps): Promise<Response> {
  const body = await objectBody(c.req.raw, deps.limits)
  return told({ ...body, model: body.model ?? onlyModel(deps) }, c, deps)
}

function onlyModel({ pipeline }: DebugDeps): string {
  const models = pipeline.models()
  if (models.length === 1) return models[0]!.id
  const message = models.length === 0 ? 'No model is served yet.' : `Say which model: ${models.map(({ id }) => id).join(', ')}.`
  throw new AppError(models.length === 0 ? 'engine_unavailable' : 'missing_parameter', { message, param: 'model' })
}

async function told(body: Record<string, unknown>, c: Context, deps: DebugDeps): Promise<Response> {
  const call = { requestId: 'debug', receivedAt: performance.now(), headers: c.req.raw.headers, body }
  const request: TextRequest = 'messages' in body ? await chatOf(call, deps) : (await completionsOf(call, deps))[0]!
  const decision: Decision = await deps.pipeline.explain(request)
  return Response.json({ model: request.model, ...decision })
}

/** One entry a worker; the bookings are the router's, by rank. */
function describe({ workers, models }: DebugDeps) {
  const booked = bookings(models)
  return workers().map(({ id, engine }) => {
    const info = known(engine)
    return {
      worker_id: id,
      ready: engine.ready,
      kind: info?.kind ?? null,
      role: info?.role ?? null,
      model_path: info?.modelPath ?? null,
      block_size: info?.blockSize ?? null,
      total_kv_tokens: info?.totalKvTokens ?? null,
      kv_events: info?.kvEvents ?? null,
      in_flight: engine.inFlight(),
      ranks: booked.get(id) ?? [],
    }
  })
}

/** What every router has booked, by worker: the routers' own candidates of an empty prompt. */
function bookings(models: ModelRegistry | undefined) {
  const found = new Map<string, { dp_rank: number; booked: CandidateScore['load']; excluded: string | null }[]>()
  for (const { router } of models?.all() ?? []) {
    let decision: Decision | undefined
    try {
      decision = router.explain({ requestId: 'debug', promptIds: new Uint32Array() })
    } catch {
      continue // Nobody can take a request: there are no bookings to tell.
    }
    for (const { workerId, dpRank, load, excluded = null } of [...decision.candidates, ...(decision.prefill?.candidates ?? [])]) {
      const ranks = found.get(workerId) ?? []
      if (!ranks.some((rank) => rank.dp_rank === dpRank)) ranks.push({ dp_rank: dpRank, booked: load, excluded })
      found.set(workerId, ranks)
    }
  }
  return found
}

/** An engine that has not started has no facts. */
function known(engine: Worker['engine']) {
  try {
    return engine.info
  } catch {
    return undefined
  }
}
