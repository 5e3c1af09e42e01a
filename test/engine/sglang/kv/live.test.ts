// KV events of a real SGLang: what the mirror holds is what the engine finds in its cache, with one rank and two, through evictions, a flush and lost frames; and the ranks themselves.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type KvMirror, kvMirror } from '../../../../src/engine/kv-mirror.ts'
import { type SglangEngine, sglangEngine } from '../../../../src/engine/sglang/engine.ts'
import { followKvEvents } from '../../../../src/engine/sglang/kv/follow.ts'
import type { GenerateRequest, KvChange } from '../../../../src/engine/types.ts'
import { type HashNamespace, localHashes } from '../../../../src/lib/block-hash.ts'
import { bindSocket, connectSocket } from '../../../../src/transport/zmtp/sockets.ts'
import { blockNames, contentOf } from '../../../helpers/block-names.ts'
import { need } from '../../../helpers/need.ts'
import { freePort } from '../../../helpers/processes/sglang-server.ts'
import { requestOf, runRequest, until } from '../../../helpers/run-request.ts'
import { cpuArgs, cpuEnv, sglangPython, tinyModel } from '../../../helpers/sglang.ts'

const python = sglangPython()
const model = tinyModel()
const size = 16
/** Blocks of the whole cache of `cpuArgs`: 4096 tokens. */
const capacity = 4096 / size

/** What some events add up to, and how many leading blocks of a prompt are among it. */
function holding() {
  const mirror: KvMirror = kvMirror({ device: capacity, lower: 0 })
  const dropped: KvChange[] = []
  return {
    mirror,
    /** Blocks that the mirror had to drop because it thought the cache was fuller than it can be: none, if no removal was missed. */
    dropped,
    apply: (rank: number, changes: readonly KvChange[]) => {
      for (const change of changes) dropped.push(...mirror.apply(rank, change))
    },
    /** Walks the dump by content, as an index does. */
    depth(rank: number, ids: readonly number[], namespace: HashNamespace = {}): number {
      const children = new Map<string, string>()
      for (const change of mirror.dump(rank)) {
        if (change.kind !== 'stored') continue
        let parent = change.parent ? blockNames(change.parent)[0]! : 'root'
        const local = blockNames(change.local)
        blockNames(change.blocks).forEach((name, i) => {
          children.set(`${parent} ${local[i]}`, name)
          parent = name
        })
      }
      let at: string | undefined = 'root'
      let depth = 0
      for (const local of blockNames(localHashes(Uint32Array.from(ids), size, namespace))) {
        at = children.get(`${at} ${local}`)
        if (at === undefined) break
        depth++
      }
      return depth
    },
  }
}

const prompt = (from: number, length: number) => Array.from({ length }, (_, i) => 20 + ((from * 131 + i * 7) % 900))

describe.skipIf(!need('SGLang (bun run sglang:setup)', python !== undefined && model !== undefined))('live KV events', () => {
  const cacheDir = mkdtempSync(join(tmpdir(), 'kv-live-'))
  afterAll(() => rmSync(cacheDir, { recursive: true, force: true }))
  const start = async (more: string[], env: Record<string, string>, kvEvents: boolean) => {
    const engine = sglangEngine({ python: python!, args: [...cpuArgs(model!), ...more], env: { ...cpuEnv(), ...env }, cacheDir, kvEvents })
    const seen = holding()
    /** Ranks that told of a running request. */
    const busy = new Set<number>()
    engine.on((event) => {
      if (event.kind === 'kv') seen.apply(event.rank, event.changes)
      if (event.kind === 'load' && event.running > 0) busy.add(event.rank)
    })
    await engine.start()
    return { engine, busy, ...seen }
  }
  const run = async (engine: SglangEngine, ids: number[], more: Partial<GenerateRequest> = {}) =>
    (await runRequest(engine, requestOf(ids, { max_new_tokens: 2, ignore_eos: true }, more))).usage!

  /** Runs a prompt: the engine must find what the mirror says, and tell what it computed. */
  async function check(
    { engine, depth }: Awaited<ReturnType<typeof start>>,
    ids: number[],
    rank: number,
    more: Partial<GenerateRequest> = {},
  ) {
    const known = more.extraKey ? 0 : depth(rank, ids, more)
    const usage = await run(engine, ids, { ...more, dpRank: rank })
    // The last token is always computed.
    expect({ ids: ids[0], cached: usage.cachedTokens }).toEqual({
      ids: ids[0],
      cached: Math.min(known, Math.floor((ids.length - 1) / size)) * size,
    })
    if (!more.extraKey) await until('its blocks are told', () => depth(rank, ids, more) === Math.floor(ids.length / size))
  }

  describe('one rank, set up by us', () => {
    let side: Awaited<ReturnType<typeof start>>
    beforeAll(async () => {
      side = await start([], {}, true)
    }, 300_000)
    afterAll(() => side?.engine.stop(0), 60_000)

    test('it tells events, in blocks of 16 tokens, over sockets that only this user reaches', () => {
      expect(side.engine.info).toMatchObject({ kvEvents: true, blockSize: size })
    })

    test('the engine finds what the mirror says, also when prompts branch and namespaces differ', async () => {
      const base = prompt(1, 100)
      await check(side, base, 0)
      await check(side, base, 0)
      await check(side, [...base.slice(0, 48), ...prompt(2, 60)], 0)
      await check(side, base, 0, { cacheSalt: 'tenant' })
      await check(side, base, 0, { cacheSalt: 'tenant' })
      expect(side.depth(0, base, { cacheSalt: 'other' })).toBe(0)
    }, 60_000)

    test('a prompt under an extra key is not taken for one without', async () => {
      const ids = prompt(3, 80)
      await check(side, ids, 0, { extraKey: 'secret' })
      expect(side.depth(0, ids)).toBe(0)
      await check(side, ids, 0)
    }, 60_000)

    test('through evictions the mirror stays true, and never fuller than the cache', async () => {
      const prompts = Array.from({ length: 30 }, (_, i) => prompt(100 + i, 200 + (i % 5) * 30))
      for (const ids of prompts) await run(side.engine, ids)
      // Events of the last ones are on their way.
      await until('the last blocks', () => side.depth(0, prompts.at(-1)!) === Math.floor(prompts.at(-1)!.length / size))
      expect(side.depth(0, prompts[0]!)).toBe(0)
      for (const ids of [prompts[29]!, prompts[20]!, prompts[0]!, prompts[28]!]) await check(side, ids, 0)
      expect([side.dropped, side.mirror.size(0) <= capacity]).toEqual([[], true])
    }, 120_000)

    test('a flush empties it', async () => {
      await side.engine.control('flush_cache', {})
      await until('nothing is left', () => side.mirror.size(0) === 0)
    }, 60_000)

    test('an engine that died and came back has an empty cache, and the mirror knows', async () => {
      const ids = prompt(400, 120)
      await check(side, ids, 0)
      process.kill(side.engine.pids[0]!, 'SIGKILL')
      await until('it is down', () => !side.engine.ready)
      await until('it is up again', () => side.engine.ready, 200_000)
      await until('the old blocks are forgotten', () => side.depth(0, ids) === 0)
      await check(side, ids, 0)
      await check(side, ids, 0)
    }, 300_000)
  })

  describe('two ranks, set up by the user', () => {
    // SGLang adds the rank to both.
    const [port, replayPort] = [freePort(), freePort()]
    let side: Awaited<ReturnType<typeof start>>
    beforeAll(async () => {
      const config = {
        publisher: 'zmq',
        endpoint: `tcp://*:${port}`,
        replay_endpoint: `tcp://*:${replayPort}`,
        topic: 'kv',
        format: 'dynamo',
      }
      const more = ['--dp-size', '2', '--page-size', String(size), '--kv-events-config', JSON.stringify(config)]
      side = await start(more, { SGLANG_CPU_OMP_THREADS_BIND: '0|1' }, true)
    }, 300_000)
    afterAll(() => side?.engine.stop(0), 60_000)

    test('each rank tells its own cache', async () => {
      const ids = prompt(5, 90)
      await check(side, ids, 0)
      expect(side.depth(1, ids)).toBe(0)
      await check(side, ids, 1)
      await check(side, ids, 0)
    }, 60_000)

    test('dpRank chooses the rank, both tell their load, and nothing strays when they are asked together', async () => {
      const { engine } = side
      expect(engine.info).toMatchObject({ level: 'L1', dpSize: 2 })
      for (const rank of [0, 1, 0, 1]) {
        const ids = prompt(500 + rank, 32)
        const ran = await runRequest(engine, requestOf(ids, { max_new_tokens: 120, ignore_eos: true }, { dpRank: rank }))
        expect(ran.ids.length).toBe(120)
        await until(`the blocks of rank ${rank}`, () => side.depth(rank, ids) === 2)
        expect(side.depth(1 - rank, ids)).toBe(0)
        await until(`the load of rank ${rank}`, () => side.busy.has(rank))
      }
      const all = await Promise.all(
        Array.from({ length: 12 }, (_, i) => runRequest(engine, requestOf([7, i], { max_new_tokens: 10 + i, ignore_eos: true }))),
      )
      expect(all.map((ran) => ran.ids.length)).toEqual(all.map((_, i) => 10 + i))
      expect(engine.strays).toEqual({ unknownRows: 0, lostFrames: 0 })
    }, 120_000)

    test('frames that are lost on the way are had from the replay socket', async () => {
      // Between SGLang and a second follower: a relay that loses frames.
      const relay = bindSocket({ type: 'PUB', endpoint: 'tcp://127.0.0.1:0' })
      let losing = false
      let lost = 0
      const source = connectSocket({
        type: 'SUB',
        endpoint: `tcp://127.0.0.1:${port}`,
        topics: [''],
        onMessage(parts) {
          if (losing && lost < 3) lost++
          else relay.send(parts)
        },
      })
      const all: KvChange[] = []
      const gone: number[] = []
      const follower = followKvEvents(
        { rank: 0, endpoint: relay.endpoint, replayEndpoint: `tcp://127.0.0.1:${replayPort}`, topic: 'kv', blockSize: size },
        { changes: (_, changes) => all.push(...changes), lost: (from) => gone.push(from) },
      )
      try {
        const truth = () => contentOf(side.mirror.dump(0))
        await until('the past is replayed', () => contentOf(all).join() === truth().join() && relay.peers[0]?.topics.length === 1)
        losing = true
        for (let i = 0; i < 5; i++) await run(side.engine, prompt(200 + i, 64), { dpRank: 0 })
        await until('frames were lost', () => lost === 3)
        await run(side.engine, prompt(300, 64), { dpRank: 0 })
        await until('the mirror has it', () => side.depth(0, prompt(300, 64)) === 4)
        await until('both know the same', () => contentOf(all).join() === truth().join())
        expect(gone).toEqual([])
      } finally {
        follower.close()
        source.close()
        relay.close()
      }
    }, 60_000)
  })
})
