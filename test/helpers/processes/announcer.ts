// A process of its own that shows cards until it is killed: `announcer.ts OPTIONS CARD…` (JSON). Prints `shown` when all can be seen.
// With `--watch NAMESPACE` instead of cards it prints each change as a line of JSON.
import { openDiscovery } from '../../../src/discovery/open.ts'

const [options, ...rest] = process.argv.slice(2)
const discovery = await openDiscovery(JSON.parse(options!))
if (rest[0] === '--watch') {
  await discovery.watch(rest[1]!, ({ kind, card }) => console.log(JSON.stringify({ kind, id: card.id })))
} else {
  await Promise.all(rest.map((card) => discovery.announce(JSON.parse(card))))
  console.log('shown')
}
process.on('SIGTERM', () => void discovery.close().then(() => process.exit(0)))
// A backend whose sockets do not hold the process open must not end it; a test that was killed must.
const parent = process.ppid
setInterval(() => process.ppid !== parent && process.exit(1), 1000)
