// The image library (sharp over libvips), loaded at its first use: a server that makes no pictures never unpacks it.
import type { default as SharpFunction } from 'sharp'

export type Sharp = typeof SharpFunction

let loading: Promise<Sharp> | undefined

/** sharp, set up for a server: its cache of operations would keep one client's pixels in memory for nobody. */
export function imageCodec(): Promise<Sharp> {
  loading ??= import('sharp').then(({ default: sharp }) => {
    sharp.cache(false)
    // Readers of other formats (SVG, PDF, TIFF, …) would be ways in for strangers' files; none may run, whatever a file looks like.
    sharp.block({ operation: ['VipsForeignLoad'] })
    sharp.unblock({ operation: ['VipsForeignLoadPng', 'VipsForeignLoadJpeg', 'VipsForeignLoadWebp', 'VipsForeignLoadNsgif'] })
    return sharp
  })
  // A failed load (no folder to unpack into) must not be remembered: the next request may find one.
  loading.catch(() => {
    loading = undefined
  })
  return loading
}
