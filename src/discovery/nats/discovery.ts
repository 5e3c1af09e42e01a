// Discovery over NATS core (NATS_SERVER).
import { AppError } from '../../lib/errors.ts'
import type { NatsOptions } from '../../transport/nats/connection.ts'
import type { Discovery } from '../discovery.ts'
import { keptDiscovery } from '../kept-discovery.ts'
import { NatsLink } from './link.ts'
import { natsPlace } from './place.ts'
import { watchNats } from './watch.ts'

/** Connects with the first card or watch. Throws AppError `invalid_setting` for no server. */
export function natsDiscovery(options: NatsOptions): Discovery {
  if (options.servers.length === 0)
    throw new AppError('invalid_setting', {
      message: 'Discovery over NATS needs an address: set NATS_SERVER, for example nats://localhost:4222.',
      param: 'NATS_SERVER',
    })
  const link = new NatsLink(options)
  return keptDiscovery({
    place: natsPlace(link),
    watch: (namespace, listener, signal) => watchNats(link, namespace, listener, signal),
    close: () => link.close(),
  })
}
