// POST /v1/images/edits: pictures from images and a prompt. JSON as Dynamo has it (input_reference), or a form as OpenAI's clients send it.
import { type Handler, takingForms } from '../call.ts'
import type { ImagesApi } from '../media/api.ts'
import { type FormBody, formReader } from '../media/form-body.ts'
import { FormFields } from '../media/form-fields.ts'
import { type BodyRules, bodyRules } from '../request/check.ts'
import { missing } from '../request/faults.ts'
import { checkedLater } from '../request/prompts.ts'
import { imageBody } from './fields.ts'
import { answerImages } from './generations.ts'
import type { Sources } from './inputs.ts'

/** inputs.ts says what is wrong with these. */
const images = { image: checkedLater, images: checkedLater, input_reference: checkedLater, url: checkedLater, mask: checkedLater }

export function editsHandler(api: ImagesApi): Handler {
  let rules: BodyRules | undefined
  let read: ((form: FormFields) => FormBody) | undefined
  return takingForms(async (call) => {
    const schema = await import('../schema/images.ts')
    rules ??= bodyRules(schema.editShape, schema.editRequired, api.ignoreUnknownFields, images)
    if (!(call.body instanceof FormFields)) {
      return answerImages('image_edit', imageBody(rules, call.body, api.ignoreUnknownFields), call, api, undefined, someImage)
    }
    read ??= formReader(schema.editShape, Object.keys(images))
    const { body, files } = read(call.body)
    return answerImages('image_edit', imageBody(rules, body, api.ignoreUnknownFields), call, api, files, someImage)
  })
}

function someImage({ images }: Sources): void {
  if (images.length === 0) throw missing('image')
}
