// How the hosts of one model find each other: a node shows where the KV events of its ranks come from, the first node follows the nodes of its own
// group and tells their events as its engine's. Frontends see one worker.
import type { Announcement, Card, Discovery } from '../../discovery/discovery.ts'
import type { WorkerCard } from '../../engine/remote/card.ts'
import { remoteEngine } from '../../engine/remote/engine.ts'
import { hostEngine } from '../../engine/remote/host.ts'
import { remoteEvents } from '../../engine/remote/kv-follow.ts'
import { publishEvents } from '../../engine/remote/kv-publish.ts'
import type { SglangNode } from '../../engine/sglang/node/engine.ts'
import type { LeadingEngine } from '../../engine/sglang/node/leading.ts'
import { log } from '../../lib/log.ts'
import type { Planes } from '../fleet/planes.ts'
import type { EngineOptions } from '../options.ts'

/** A node's card. */
interface NodeCard {
  /** SGLang's --dist-init-addr. */
  group: string
  rank: number
  /** DP ranks whose KV events are told here. */
  ranks: number[]
  dpSize: number
  /** Answers `kv.dump {rank}`. */
  address: string
  events: string
}

export interface NodeParts {
  /** Unique in the deployment, another for each life. */
  id: string
  node: SglangNode
  rank: number
  group: string
  namespace: string
}

/** Shows a started node to the first one. What was opened is closed again when a later step rejects. */
export async function hostNode({ id, node, rank, group, namespace }: NodeParts, planes: Planes, discovery: Discovery) {
  const publisher = await planes.events.publisher(id)
  const published = publishEvents(node, (message) => publisher.publish(message))
  const quiet = () => {
    published.close()
    publisher.close()
  }
  try {
    const dump = async ({ rank }: Record<string, unknown>) => published.dump(Number(rank))
    const server = await planes.serve(hostEngine(node, { calls: { 'kv.dump': dump } }))
    const card: NodeCard = {
      ...{ group, rank, ranks: node.ranks, dpSize: node.info.dpSize },
      ...{ address: server.address, events: publisher.address },
    }
    const announcement: Announcement = await discovery.announce({ id, kind: 'node', namespace, body: { ...card } }).catch(async (error) => {
      await server.close()
      throw error
    })
    return {
      async close() {
        await announcement.withdraw()
        await server.close()
        quiet()
      },
    }
  } catch (error) {
    quiet()
    throw error
  }
}

/** Tells the KV events of the other nodes as those of `engine`, the first one, until closed. */
export async function followNodes(
  engine: LeadingEngine,
  options: EngineOptions,
  planes: Planes,
  discovery: Discovery,
  namespace: string,
): Promise<{ close(): Promise<void> }> {
  const group = options.kind === 'sglang' ? options.nodes?.group : undefined
  const followed = new Map<string, { close(): Promise<void> }>()
  const off = await discovery.watch(namespace, ({ kind, card }) => {
    const told = card.kind === 'node' ? readCard(card) : undefined
    if (told === undefined || told.group !== group || told.dpSize !== engine.info.dpSize) return
    const known = followed.get(card.id)
    if (kind !== 'gone' && known === undefined) {
      log.info({ node: told.rank, ranks: told.ranks, group }, 'following the KV events of another node')
      followed.set(card.id, follow(engine, told, planes))
    } else if (kind === 'gone' && known !== undefined) {
      followed.delete(card.id)
      log.warn({ node: told.rank, ranks: told.ranks, group }, 'a node left')
      void known.close()
    }
  })
  return {
    async close() {
      off()
      await Promise.all([...followed.values()].map((one) => one.close()))
    },
  }
}

function follow(engine: LeadingEngine, { address, events, ranks, dpSize }: NodeCard, planes: Planes): { close(): Promise<void> } {
  const remote = remoteEngine({ card: { ready: true } as WorkerCard, client: planes.connect(address) })
  const dump = async (rank: number) => (await remote.call('kv.dump', { rank })) as Uint8Array
  const own = new Set(ranks)
  const last = new Map<number, number>()
  const following = remoteEvents({ plane: planes.events, address: events, ranks: dpSize, kv: true, dump }).subscribe((event) => {
    // Loads reach the first node through SGLang itself.
    if (event.kind !== 'kv' || !own.has(event.rank)) return
    last.set(event.rank, event.seq)
    engine.tell(event)
  })
  return {
    async close() {
      following.close()
      for (const [rank, seq] of last) engine.tell({ kind: 'kv', rank, seq: seq + 1, changes: [{ kind: 'cleared' }] })
      await remote.stop(0)
    },
  }
}

/** Undefined for a card that another version wrote in another way. */
function readCard({ body }: Card): NodeCard | undefined {
  const card = body as unknown as NodeCard
  const whole = typeof card.group === 'string' && typeof card.address === 'string' && typeof card.events === 'string'
  return whole && Array.isArray(card.ranks) && Number.isInteger(card.dpSize) ? card : undefined
}
