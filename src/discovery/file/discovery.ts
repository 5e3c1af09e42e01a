// Discovery over a folder that all processes see (DYN_FILE_KV): no service, works on one machine and on shared mounts.
import { resolve } from 'node:path'
import type { Discovery } from '../discovery.ts'
import { keptDiscovery } from '../kept-discovery.ts'
import { filePlace } from './place.ts'
import { watchFolder } from './watch.ts'

/** The folder need not exist; it is made with the first card, and made again when it is deleted. */
export function fileDiscovery(options: { readonly folder: string }): Discovery {
  const folder = resolve(options.folder)
  return keptDiscovery({
    place: filePlace(folder),
    watch: (namespace, listener, signal) => watchFolder(folder, namespace, listener, signal),
  })
}
