// GET and POST /busy_threshold (Dynamo's): how full a worker may be before requests pass it over, changed while the server runs.
import { AppError } from '../../lib/errors.ts'
import type { LoadedModel, ModelRegistry } from '../../pipeline/model.ts'
import type { BusyThresholds } from '../../router/router.ts'
import type { Limits } from '../http/limits.ts'
import { objectBody, type Route } from './route.ts'

export interface BusyDeps {
  models?: ModelRegistry
  limits: Limits
}

/** Body member → threshold, and the most it can be. */
const members = [
  ['active_decode_blocks_threshold', 'activeDecodeBlocksThreshold', 1],
  ['active_prefill_tokens_threshold', 'activePrefillTokensThreshold', Number.MAX_SAFE_INTEGER],
  ['active_prefill_tokens_threshold_frac', 'activePrefillTokensThresholdFrac', Number.MAX_SAFE_INTEGER],
] as const

export function busyRoutes(deps: BusyDeps): Route[] {
  const all = () => deps.models?.all() ?? []
  return [
    {
      path: '/busy_threshold',
      get: async () => Response.json({ thresholds: all().map((model) => told(model, thresholds(model))) }),
      post: async (c) => {
        const body = await objectBody(c.req.raw, deps.limits)
        if (typeof body.model !== 'string')
          throw new AppError('missing_parameter', { message: "Missing required parameter: 'model'.", param: 'model' })
        const model = deps.models?.find(body.model)
        if (model === undefined) throw new AppError('engine_unavailable', { message: 'No model is served yet.', retryAfterSecs: 5 })
        const change = changeOf(body)
        return Response.json(told(model, thresholds(model, Object.keys(change).length === 0 ? undefined : change)))
      },
    },
  ]
}

function changeOf(body: Record<string, unknown>): BusyThresholds {
  const change: Record<string, number | undefined> = {}
  for (const [name, key, most] of members) {
    const value = body[name]
    if (value === undefined) continue
    if (value === null) change[key] = undefined
    else if (typeof value === 'number' && value >= 0 && value <= most) change[key] = value
    else
      throw new AppError('invalid_value', {
        message: `Invalid value for '${name}': it must be a number from 0${most === 1 ? ' to 1' : ''}, or null for none.`,
        param: name,
      })
  }
  return change
}

function thresholds({ router }: LoadedModel, change?: BusyThresholds): BusyThresholds {
  if (router.busyThresholds !== undefined) return router.busyThresholds(change)
  throw new AppError('unsupported_parameter', { message: 'This model’s router has no busy thresholds.', param: 'model' })
}

function told({ served }: LoadedModel, now: BusyThresholds) {
  const values = members.map(([name, key]) => [name, now[key] ?? null] as const)
  return { model: served.id, ...Object.fromEntries(values) }
}
