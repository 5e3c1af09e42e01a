// Public: images that users give, wherever they lie, as upright pictures. The policy says what is allowed; everything else is refused by name.
import { AppError } from '../../lib/errors.ts'
import { dataUrlText, decodeBase64 } from './base64.ts'
import { type Pixels, toPixels, toPng } from './decode.ts'
import { download, internet } from './download.ts'
import { tooLarge } from './limited.ts'
import { readLocalFile } from './local-file.ts'
import type { InputPolicy, Network } from './policy.ts'

/** `url`: https (http where the policy allows), file://, data:, or bare base64. `bytes`: an uploaded file. */
export type InputSource = { url: string } | { bytes: Uint8Array }

/**
 * A user's image as an upright PNG file (sRGB, 8 bits, alpha kept, no metadata). Rejects with `invalid_value` (an address that may not be read),
 * `invalid_image` (not to be had, not a picture, too large), `overloaded` (not decoded in time) or `client_closed_request`; each names `param`.
 */
export async function readInput(
  source: InputSource,
  policy: InputPolicy,
  param: string,
  signal: AbortSignal,
  network: Network = internet,
): Promise<Uint8Array> {
  return toPng(await readFile(source, policy, param, signal, network), policy.maxPixels, param, signal)
}

/** The same as pixels, rgb24 (or rgba32 with `alpha`): for models that want numbers. */
export async function readPixels(
  source: InputSource,
  policy: InputPolicy,
  param: string,
  signal: AbortSignal,
  options: { alpha?: boolean; network?: Network } = {},
): Promise<Pixels> {
  const bytes = await readFile(source, policy, param, signal, options.network ?? internet)
  return toPixels(bytes, policy.maxPixels, param, signal, options.alpha ?? false)
}

/** The file as it is, of any kind; errors as above. */
export async function readFile(
  source: InputSource,
  policy: InputPolicy,
  param: string,
  signal: AbortSignal,
  network: Network = internet,
): Promise<Uint8Array> {
  if ('bytes' in source) {
    if (source.bytes.length > policy.maxBytes) throw tooLarge(param, policy)
    return source.bytes
  }
  const text = source.url.trim()
  if (text === '') throw new AppError('invalid_value', { param, message: `The value at ${param} is empty.` })
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(text.slice(0, 64))?.[1]?.toLowerCase()
  if (scheme === undefined) return decodeBase64(text, policy, param)
  if (scheme === 'data') {
    const { maxDataUrlMb } = policy
    const limit = maxDataUrlMb === undefined ? policy.maxBytes : Math.min(maxDataUrlMb * 1e6, policy.maxBytes)
    return decodeBase64(dataUrlText(text, param), { ...policy, maxBytes: limit }, param)
  }
  const url = URL.parse(text)
  if (url === null) throw new AppError('invalid_value', { param, message: `The value at ${param} is not a valid address.` })
  if (scheme === 'file') return readLocalFile(url, policy, param)
  return download(url, policy, param, signal, network)
}
