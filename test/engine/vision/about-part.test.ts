// An encoder's error about a picture names the request's part.
import { expect, test } from 'bun:test'
import { aboutPart } from '../../../src/engine/vision/about-part.ts'
import { AppError } from '../../../src/lib/errors.ts'

const part = 'messages[2].content[1].image_url.url'

test('a picture that is at fault is named, once', () => {
  const error = aboutPart(new AppError('invalid_image', { message: 'The image is 1x1.' }), part)
  expect(error).toMatchObject({ code: 'invalid_image', param: part, message: `The image at ${part} is 1x1.`, status: 400 })
  expect(aboutPart(error, 'another')).toBe(error)
  const other = aboutPart(new AppError('invalid_image', { message: 'A picture of 700 MB is too much.' }), part)
  expect(other.message).toBe(`${part}: A picture of 700 MB is too much.`)
})

test('an encoder that failed is not the picture’s fault', () => {
  for (const code of ['encoder_unavailable', 'encoder_failed'] as const) {
    const error = new AppError(code, { message: 'The picture could not be encoded: x', retryAfterSecs: 2 })
    const { message, status, retryAfterSecs } = error
    expect(aboutPart(error, part)).toMatchObject({ code, param: part, message, status, retryAfterSecs })
    expect(aboutPart(error, undefined)).toBe(error)
  }
  const gone = new AppError('client_closed_request', { message: 'x' })
  expect(aboutPart(gone, part)).toBe(gone)
  expect(aboutPart(new AppError('invalid_image', { message: 'x' }), undefined).param).toBeNull()
})
