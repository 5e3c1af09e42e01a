// POST /v1/images/generations: pictures from a prompt, at once or as a stream.
import { newId } from '../../lib/ids.ts'
import type { Call, Handler } from '../call.ts'
import type { ImagesApi } from '../media/api.ts'
import type { FormFile } from '../media/form-fields.ts'
import { type BodyRules, bodyRules } from '../request/check.ts'
import { checkedLater } from '../request/prompts.ts'
import type { ImageBody } from '../schema/images.ts'
import { begin, imageBody } from './fields.ts'
import { findSources, readSources, type Sources } from './inputs.ts'
import { checkTogether, type ImageJob, imageJob } from './request.ts'
import { streamAnswer } from './stream.ts'
import { wholeAnswer } from './whole.ts'

export function generationsHandler(api: ImagesApi): Handler {
  let rules: BodyRules | undefined
  return async (call) => {
    const schema = await import('../schema/images.ts')
    rules ??= bodyRules(schema.generationShape, schema.generationRequired, api.ignoreUnknownFields, { input_reference: checkedLater })
    return answerImages('image_generation', imageBody(rules, call.body, api.ignoreUnknownFields), call, api)
  }
}

/** What both routes do with a checked body. `check` may refuse what was found in it. */
export async function answerImages(
  route: ImageJob['route'],
  body: ImageBody,
  call: Call,
  api: ImagesApi,
  files: ReadonlyMap<string, readonly FormFile[]> = new Map(),
  check?: (sources: Sources) => void,
): Promise<Response> {
  const info = begin(call, body, api)
  const sources = findSources(body, files, info)
  check?.(sources)
  checkTogether(body, info, api)
  const inputs = await readSources(sources, call, api)
  const { engineFields } = await import('../schema/images.ts')
  const given = { id: `img_${newId()}`, requestId: call.requestId, route, info, engineFields: Object.keys(engineFields), ...inputs }
  const job = imageJob(body, given, api)
  return job.stream ? streamAnswer(job, call, api) : wholeAnswer(job, call, api)
}
