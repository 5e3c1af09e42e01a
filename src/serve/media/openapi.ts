// The routes of images and videos in /openapi.json.
import { z } from 'zod'
import { errorCodes } from '../../lib/errors.ts'
import * as images from '../../openai/schema/images.ts'
import * as videos from '../../openai/schema/videos.ts'
import { errors, jsonOf, schemaOf } from '../http/openapi-parts.ts'
import { mediaOperations } from './control.ts'
import { mediaRoutes } from './routes.ts'

interface Described {
  summary: string
  /** Of a POST. */
  body?: z.ZodType
  form?: boolean
  example?: unknown
  /** Media type → schema of what is answered with 200. */
  answers: Record<string, object>
  query?: Record<string, string>
  statuses?: readonly number[]
}

const every = [...new Set(Object.values(errorCodes).map(([status]) => status))]
const file = { schema: { type: 'string', format: 'binary' } }
const json = (schema: z.ZodType): Record<string, object> => jsonOf(schema).content as Record<string, object>
const events = (schema: z.ZodType, description: string) => ({
  'text/event-stream': { schema: { description, ...schemaOf(schema, 'output') } },
})
const size = '1024x1024'

const described: Readonly<Record<string, Described>> = {
  'POST /v1/images/generations': {
    summary: 'Images from a prompt',
    body: z.strictObject(images.generationShape),
    example: { model: 'black-forest-labs/FLUX.1-dev', prompt: 'A lighthouse in a storm', size },
    answers: { ...json(images.imageAnswer), ...events(images.imageEvent, 'With "stream": true.') },
  },
  'POST /v1/images/edits': {
    summary: 'Images from images and a prompt: JSON, or a form with files',
    body: z.strictObject(images.editShape),
    form: true,
    example: { prompt: 'The same at night', input_reference: 'https://example.org/day.png' },
    answers: { ...json(images.imageAnswer), ...events(images.imageEvent, 'With "stream": true.') },
  },
  'GET /v1/images/{id}/content': {
    summary: 'A picture of an answer, as a file',
    answers: { 'image/*': file },
    query: { index: 'Which picture, from 0.', variant: 'The same.' },
    statuses: [400, 404],
  },
  'POST /v1/videos': {
    summary: 'A clip: in the answer (JSON), or as a job (a form, "background": true, or Prefer: respond-async)',
    body: z.strictObject(videos.videoShape),
    form: true,
    example: { model: 'Wan-AI/Wan2.1-T2V-1.3B-Diffusers', prompt: 'Waves on a beach', seconds: 2, nvext: { fps: 8 } },
    answers: {
      ...json(z.union([videos.videoAnswer, videos.videoJobAnswer])),
      ...events(z.union([videos.videoProgress, videos.videoAnswer]), 'With "stream": true; ends with [DONE].'),
    },
  },
  'GET /v1/videos': {
    summary: 'The jobs, newest first',
    answers: json(videos.videoList),
    query: { after: 'The last id of the page before.', limit: '1 to 100; 20 when absent.', order: 'asc or desc.' },
    statuses: [400],
  },
  'POST /v1/videos/stream': {
    summary: 'A clip as JPEGs, one after the other while they are made (<img> plays it)',
    body: z.strictObject(videos.videoShape),
    form: true,
    example: { prompt: 'Waves on a beach' },
    answers: { 'multipart/x-mixed-replace; boundary=frame': file },
  },
  'GET /v1/videos/{id}': { summary: 'How far a job is', answers: json(videos.videoJobAnswer), statuses: [404] },
  'DELETE /v1/videos/{id}': { summary: 'Ends a job and removes its files', answers: json(videos.videoDeleted), statuses: [404, 507] },
  'POST /v1/videos/{id}/cancel': { summary: 'Ends a job before its next step', answers: json(videos.videoJobAnswer), statuses: [404] },
  'GET /v1/videos/{id}/content': {
    summary: 'The clip of a finished job; Range is answered',
    answers: { 'video/mp4': file, 'image/webp': file },
    query: { index: 'Which clip, from 0.', variant: 'The same; or video.' },
    statuses: [400, 404, 409],
  },
  'GET /media/{path}': { summary: 'A finished file; Range is answered', answers: { '*/*': file }, statuses: [404] },
}

const refused = 'Part of OpenAI’s API that the models here cannot do'

/** Paths for the document; every route of routes.ts is among them. */
export function mediaPaths(): Record<string, object> {
  const paths: Record<string, Record<string, object>> = {}
  for (const { method, path, name } of mediaRoutes) {
    const shown = path.replace('/*', '/{path}').replaceAll(/:(\w+)/g, '{$1}')
    const one = described[`${method} ${shown}`] ?? { summary: refused, answers: {}, statuses: [400] }
    paths[shown] ??= {}
    paths[shown][method.toLowerCase()] = operation(name, shown, one)
  }
  for (const [name, { summary }] of mediaOperations) {
    const lora = { summary: `${summary}. With --control-api.`, answers: { 'application/json': { schema: { type: 'object' } } } }
    const statuses = [400, 404, 409, 500, 503]
    paths[`/v1/${name}`] = { [name === 'list_loras' ? 'get' : 'post']: operation(name, '', { ...lora, statuses }) }
  }
  return paths
}

function operation(name: string, path: string, one: Described): object {
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, at]) => ({ name: at, in: 'path', required: true, schema: { type: 'string' } }))
  const inQuery = Object.entries(one.query ?? {}).map(([at, description]) => ({
    ...{ name: at, in: 'query', description, schema: { type: 'string' } },
  }))
  const { body, form, example, summary } = one
  const content = body && {
    'application/json': { schema: schemaOf(body, 'input'), example },
    ...(form === true && { 'multipart/form-data': { schema: schemaOf(body, 'input') } }),
  }
  return {
    ...{ summary, operationId: name, parameters: [...inPath, ...inQuery] },
    ...(content && { requestBody: { required: true, content } }),
    responses: {
      ...(Object.keys(one.answers).length > 0 && { 200: { description: summary, content: one.answers } }),
      ...errors(one.statuses ?? every),
    },
  }
}
