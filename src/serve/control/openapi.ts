// What operators' routes look like in /openapi.json.
import { operations } from './operations.ts'

const object = { 'application/json': { schema: { type: 'object' } } }
const query = (name: string, description: string, required = false) => ({
  name,
  in: 'query',
  description,
  required,
  schema: { type: 'string' },
})
const error = (description: string) => ({
  description,
  content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
})

function operation(id: string, summary: string, more: { parameters?: object[]; body?: boolean; statuses?: Record<number, string> } = {}) {
  const errors = Object.fromEntries(Object.entries(more.statuses ?? {}).map(([status, why]) => [status, error(why)]))
  return {
    summary,
    operationId: id,
    parameters: more.parameters ?? [],
    ...(more.body === true ? { requestBody: { required: false, content: object } } : {}),
    responses: { 200: { description: summary, content: object }, ...errors },
  }
}

const where = 'On the system port, and on this one with --control-api.'
const asked = { 400: 'invalid_value, missing_parameter', 404: 'model_not_found', 503: 'engine_unavailable' }
const engine = {
  parameters: [query('worker_id', 'Only this worker; all without it.')],
  body: true,
  statuses: { 400: 'invalid_value, engine_rejected', 404: 'route_not_found', 409: 'engine_rejected', 500: 'engine_failed' },
}

/** Paths for the document. */
export function controlPaths(): Record<string, object> {
  const names = [...operations.keys()]
  const named = { name: 'name', in: 'path', required: true, schema: { type: 'string', enum: names } }
  const run = (id: string) =>
    operation(id, `Runs an operation on one engine or all. ${where}`, { ...engine, parameters: [named, ...engine.parameters] })
  return {
    '/debug/route': {
      get: operation('explain_prompt', 'Where a prompt would go now, with every candidate’s score', {
        parameters: [query('prompt', 'The text, as of a completion.', true), query('model', 'May be left out while one model is served.')],
        statuses: asked,
      }),
      post: operation('explain_request', 'The same for the body of a chat or completions request', { body: true, statuses: asked }),
    },
    '/debug/workers': { get: operation('debug_workers', 'The workers: role, readiness, bookings by rank') },
    '/engine': { get: operation('list_operations', `The engine operations. ${where}`) },
    '/engine/{name}': { post: run('engine_operation') },
    '/engine/control/{name}': { post: run('engine_control') },
    '/clear_kv_blocks': { post: operation('clear_kv_blocks', `Forgets all cached prefixes. ${where}`, engine) },
    '/busy_threshold': {
      get: operation('busy_thresholds', `How full a worker may be before requests pass it over. ${where}`),
      post: operation('set_busy_threshold', `Changes that for one model; null turns a threshold off. ${where}`, {
        body: true,
        statuses: asked,
      }),
    },
  }
}
