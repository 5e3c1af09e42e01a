// Pictures that a test's language server names by their hash, so that no file has to be sent.
import type { MediaItem } from '../../src/engine/types.ts'
import type { ReadItem } from '../../src/engine/vision/gateway/items.ts'
import { AppError } from '../../src/lib/errors.ts'

const prefix = 'named:'

export const nameOf = ({ hash }: Pick<MediaItem, 'hash'>): string => prefix + hash

/** Finds pictures by `nameOf`; others are `media_not_found`. */
export function namedReader(items: readonly MediaItem[]): ReadItem {
  return async ({ url }, param) => {
    for (const item of items) if (nameOf(item) === url) return item
    throw new AppError('media_not_found', { param, message: `The picture ${url} is not here.` })
  }
}
