// The body of a video request, JSON or a form, checked against its schema. Schemas are loaded with the first request: the start does not pay for them.

import type { Call } from '../call.ts'
import type { ImageSource } from '../media/api.ts'
import type { FormBody } from '../media/form-body.ts'
import { FormFields } from '../media/form-fields.ts'
import { sourceOf } from '../media/sources.ts'
import { type BodyRules, bodyRules, checkBody, lazyRules } from '../request/check.ts'
import { invalid, unknownParameter } from '../request/faults.ts'
import type { VideoBody } from '../schema/videos.ts'

export interface ReadVideo {
  body: VideoBody
  isForm: boolean
  /** The image to start from. */
  reference?: { source: ImageSource; param: string }
}

interface Loaded extends BodyRules {
  ofForm(form: FormFields): FormBody
}

/** Rules of /v1/videos, made once; also for the warm-up. */
export const videoRules = lazyRules(async (ignoreUnknown): Promise<Loaded> => {
  const [{ videoShape, videoRequired }, { formReader }] = await Promise.all([
    import('../schema/videos.ts'),
    import('../media/form-body.ts'),
  ])
  return { ...bodyRules(videoShape, videoRequired, ignoreUnknown), ofForm: formReader(videoShape, ['input_reference']) }
}) as (ignoreUnknown: boolean) => Promise<Loaded>

/** Throws the AppErrors of a bad body. */
export async function readVideo(call: Pick<Call, 'body'>, ignoreUnknown: boolean): Promise<ReadVideo> {
  const rules = await videoRules(ignoreUnknown)
  if (!(call.body instanceof FormFields)) {
    const body = checkBody<VideoBody>(rules, call.body, ignoreUnknown)
    return withReference({ body, isForm: false }, undefined)
  }
  const { body: fields, files } = rules.ofForm(call.body)
  const body = checkBody<VideoBody>(rules, fields, ignoreUnknown)
  const given = files.get('input_reference') ?? []
  if (!ignoreUnknown) for (const name of files.keys()) if (name !== 'input_reference') throw unknownParameter(name)
  if (given.length > 1) throw invalid('input_reference', `a clip starts from one image, but ${given.length} were sent`)
  return withReference({ body, isForm: true }, given[0]?.bytes)
}

function withReference(read: ReadVideo, bytes: Uint8Array | undefined): ReadVideo {
  const { input_reference: value, reference_url: url } = read.body
  const given = [bytes, value, url].filter((one) => one != null)
  if (given.length > 1) throw invalid('input_reference', 'a clip starts from one image, but several were sent')
  if (bytes !== undefined) read.reference = { source: { bytes }, param: 'input_reference' }
  else if (value != null) read.reference = { source: sourceOf(value, 'input_reference'), param: 'input_reference' }
  else if (url != null) read.reference = { source: sourceOf(url, 'reference_url'), param: 'reference_url' }
  return read
}
