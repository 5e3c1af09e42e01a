// How the processes of a fleet start: what was opened is closed again when a later step rejects, and nothing is begun that an end on the way has not seen.
import type { Discovery } from '../../discovery/discovery.ts'
import { openDiscovery } from '../../discovery/open.ts'
import { openPlanes, type Planes } from '../fleet/planes.ts'
import type { Lifecycle } from '../lifecycle.ts'
import type { FleetOptions } from '../options.ts'

/** Ready once `begin` has resolved; when it rejects, after `stop`. */
export async function startOrStop<T>(lifecycle: Lifecycle, begin: () => Promise<T>, stop: () => Promise<void>): Promise<T> {
  try {
    const begun = await begin()
    lifecycle.markReady()
    return begun
  } catch (error) {
    await stop()
    throw error
  }
}

/** Into `parts`, which the process's stop closes. Rejects with a start-up AppError, or `shutting_down` when the end has begun meanwhile. */
export async function joinFleet(
  parts: { planes?: Planes; discovery?: Discovery },
  fleet: FleetOptions,
  lifecycle: Lifecycle,
): Promise<{ planes: Planes; discovery: Discovery }> {
  const planes = await openPlanes(fleet.planes, fleet.namespace)
  parts.planes = planes
  lifecycle.goOn()
  const discovery = await openDiscovery(fleet.discovery)
  parts.discovery = discovery
  lifecycle.goOn()
  return { planes, discovery }
}
