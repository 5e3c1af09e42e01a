// Operations on the engines of images and videos: LoRA by SGLang's own routes (multimodal_gen, common_api.py) and by Dynamo's /engine/{name}.
import type { Context } from 'hono'
import { errorResponse } from '../../openai/errors.ts'
import { type EngineRouteDeps, engineRoutes, runOperation } from '../control/engine.ts'
import { type Operation, operations } from '../control/operations.ts'
import type { Route } from '../control/route.ts'

const same = (name: string, summary: string): [string, Operation] => [name, { summary, calls: (args) => [{ name, args }] }]

export const mediaOperations: ReadonlyMap<string, Operation> = new Map([
  same('set_lora', 'Use LoRA adapters (lora_nickname, lora_path, target, strength); a list of each for several'),
  same('merge_lora_weights', 'Put the adapters into the weights (target, strength)'),
  same('unmerge_lora_weights', 'Take them out again (target)'),
  same('list_loras', 'The adapters that are loaded, and where they are in use'),
])

/** For the system port, and for the API's with --control-api. */
export function mediaControlRoutes(deps: EngineRouteDeps): Route[] {
  const all = { ...deps, operations: mediaOperations }
  // Without /clear_kv_blocks: there is no KV cache.
  return [...engineRoutes(all).filter(({ path }) => path.startsWith('/engine')), ...loraRoutes(all)]
}

/** The same where text models are served as well: each operation goes to the workers that have it. */
export function bothControlRoutes(deps: EngineRouteDeps, media: Pick<EngineRouteDeps, 'workers'>): Route[] {
  const workers = (name: string) => [
    ...(operations.has(name) ? deps.workers(name) : []),
    ...(mediaOperations.has(name) ? media.workers(name) : []),
  ]
  const all = { ...deps, operations: new Map([...operations, ...mediaOperations]), workers }
  return [...engineRoutes(all), ...loraRoutes({ ...deps, operations: mediaOperations, workers: media.workers })]
}

function loraRoutes(deps: EngineRouteDeps): Route[] {
  const sglang = (name: string) => (c: Context) => asSglang(c, name, deps)
  return [
    ...['set_lora', 'merge_lora_weights', 'unmerge_lora_weights'].map((name) => ({ path: `/v1/${name}`, post: sglang(name) })),
    { path: '/v1/list_loras', get: sglang('list_loras') },
  ]
}

/** SGLang's shapes: what a list is, as it is; of an operation only that it went well. All engines of a model have the same adapters: the first one's word counts. */
async function asSglang(c: Context, name: string, deps: EngineRouteDeps): Promise<Response> {
  const { failed, results } = await runOperation(c, name, deps)
  if (failed !== undefined) return errorResponse(failed)
  return Response.json(
    name === 'list_loras' ? (results[0]?.result ?? {}) : { status: 'ok', message: `${name}: done on ${results.length} engine(s)` },
  )
}
