// /live, /ready, /health and /metrics: what orchestrators and dashboards ask. On the main port and on DYN_SYSTEM_PORT.
import type { Worker } from '../../router/workers.ts'
import type { Health, WorkerHealth } from '../health.ts'
import type { LifeState } from '../lifecycle.ts'
import { metricsText } from './metrics.ts'

export interface ProbeDeps {
  /** Names of what is served. */
  served(): readonly string[]
  /** Some model has the workers that an answer needs: with prefill and decode apart, one of each. */
  complete(): boolean
  health: Health
  state(): LifeState
  workers(): readonly Worker[]
  version: string
  /** `dyn://namespace.component.endpoint` of this process. */
  endpoint: string
}

export function probes(deps: ProbeDeps) {
  /** 200 when a request sent now would be answered. */
  const status = async (workers: readonly WorkerHealth[]) => {
    const state = deps.state()
    if (state !== 'ready' && state !== 'starting') return 'stopping'
    // The first of several engines may be up before the model is served.
    if (deps.served().length > 0 && deps.complete() && workers.some((worker) => worker.healthy)) return 'healthy'
    return state === 'starting' ? 'starting' : 'unhealthy'
  }

  return {
    /** The process answers; says nothing about engines. */
    live: () => Response.json({ status: 'live', message: 'Service is live' }),

    async ready(): Promise<Response> {
      const is = await status(await deps.health.check())
      return answer(is, { status: is === 'healthy' ? 'ready' : 'not ready', reason: is === 'healthy' ? null : is })
    },

    async health(): Promise<Response> {
      const workers = await deps.health.check()
      const is = await status(workers)
      const models = deps.served()
      return answer(is, { status: is, version: deps.version, endpoints: [deps.endpoint], models, workers })
    },

    async metrics(): Promise<Response> {
      return new Response(await metricsText(deps.workers()), {
        headers: { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' },
      })
    },
  }
}

function answer(status: string, body: unknown): Response {
  const headers: Record<string, string> = { 'content-type': 'application/json' }
  if (status !== 'healthy') headers['retry-after'] = '5'
  return new Response(JSON.stringify(body), { status: status === 'healthy' ? 200 : 503, headers })
}
