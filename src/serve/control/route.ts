// A route beside the API: what answers a GET and what a POST, for the port's router and for its list of methods.
import type { Context } from 'hono'
import { AppError } from '../../lib/errors.ts'
import { type Limits, readJson } from '../http/limits.ts'

export interface Route {
  readonly path: string
  readonly get?: (c: Context) => Promise<Response>
  readonly post?: (c: Context) => Promise<Response>
}

/** For a router that takes a method and a path. */
export function mount(
  on: (method: 'GET' | 'POST', path: string, answer: (c: Context) => Promise<Response>) => void,
  routes: readonly Route[],
): void {
  for (const { path, get, post } of routes) {
    if (get !== undefined) on('GET', path, get)
    if (post !== undefined) on('POST', path, post)
  }
}

/** The body as an object; no body is an empty one. Throws what readJson throws, and `invalid_type`. */
export async function objectBody(request: Request, limits: Limits): Promise<Record<string, unknown>> {
  if (request.headers.get('content-length') === '0' || request.body === null) return {}
  const body = await readJson(request, limits)
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw new AppError('invalid_type', { message: 'The request body must be a JSON object.' })
  return body as Record<string, unknown>
}
