// What every images route does first: the body's fields, then the model's facts.
import { AppError } from '../../lib/errors.ts'
import type { MakerInfo } from '../../pipeline/media/media.ts'
import type { Call } from '../call.ts'
import { takeRid } from '../generate.ts'
import type { ImagesApi } from '../media/api.ts'
import { type BodyRules, checkBody } from '../request/check.ts'
import type { ImageBody } from '../schema/images.ts'

/** The checked body. Throws what checkBody throws; unknown fields are told with those that are known. */
export function imageBody(rules: BodyRules, body: unknown, ignoreUnknownFields: boolean): ImageBody {
  if (!ignoreUnknownFields && typeof body === 'object' && body !== null && !Array.isArray(body))
    for (const name in body) if (!rules.fields.has(name)) throw unknown(name, rules)
  return checkBody<ImageBody>(rules, body, ignoreUnknownFields)
}

/** Names the call in log and counters; throws `model_not_found`, `engine_unavailable`. */
export function begin(call: Call, body: ImageBody, api: ImagesApi): MakerInfo & { id: string } {
  takeRid(call, body.rid)
  const model = body.model ?? api.media.models().find((one) => one.makes === 'image')?.id
  call.begin(model ?? '', body.stream === true)
  return api.media.info('image', model)
}

function unknown(name: string, rules: BodyRules): AppError {
  const shown = name.length > 100 ? `${name.slice(0, 100)}…` : name
  const message = `Unknown parameter: '${shown}'. Known are ${[...rules.fields.keys()].join(', ')}. Remove it, or start the server with DYN_IGNORE_OPENAI_FE_UNSUPPORTED_FIELDS=true to ignore such fields.`
  return new AppError('unknown_parameter', { message, param: shown })
}
