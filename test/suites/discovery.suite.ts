// The promises of discovery/discovery.ts, held by every backend. A new backend gets its tests by one call.
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import type { CardKind, Discovery } from '../../src/discovery/discovery.ts'
import type { DiscoveryOptions } from '../../src/discovery/options.ts'
import { announceElsewhere, cardOf, type Heard, listen, type OtherProcess } from '../helpers/discovery.ts'
import { eventually } from '../helpers/processes/start.ts'

const caseMs = 60_000
/** The promise is 2 s; a test machine may be late, a lease of ten seconds is not lateness. */
const goneMs = 6000

export interface BackendUnderTest {
  /** Another member of the same backend, in this process. */
  open(): Promise<Discovery>
  stop(): Promise<void>
}

export interface SharedBackendUnderTest extends BackendUnderTest {
  /** How other processes join. */
  options: DiscoveryOptions
  /** Makes the backend unreachable and brings it back; what it held is still there unless `lose` was called in between. */
  outage: { begin(): Promise<void>; end(): Promise<void>; lose(): Promise<void> }
}

/** Runs all cases on a backend that several processes share; `make` starts it once for all of them. */
export function discoverySuite(name: string, make: () => Promise<SharedBackendUnderTest>): void {
  cases(name, make, make)
}

/** Runs the cases that one process alone can show. */
export function discoverySuiteOfOneProcess(name: string, make: () => Promise<BackendUnderTest>): void {
  cases(name, make, undefined)
}

function cases(name: string, make: () => Promise<BackendUnderTest>, many: (() => Promise<SharedBackendUnderTest>) | undefined): void {
  describe(name, () => {
    let backend: SharedBackendUnderTest
    const itWithProcesses = (title: string, body: () => Promise<void>) => many !== undefined && it(title, body)
    let opened: Discovery[] = []
    let others: OtherProcess[] = []
    const it = (title: string, body: () => Promise<void>) => test(title, body, caseMs)

    beforeAll(async () => {
      // The cases that need the other half are not there without it.
      backend = (await (many ?? make)()) as SharedBackendUnderTest
    }, caseMs)
    afterAll(() => backend.stop(), caseMs)
    afterEach(async () => {
      for (const other of others) other.kill('SIGKILL')
      await Promise.all(opened.map((discovery) => discovery.close()))
      opened = []
      others = []
    })

    const join = async () => {
      const discovery = await backend.open()
      opened.push(discovery)
      return discovery
    }
    const elsewhere = async (...cards: Parameters<typeof announceElsewhere>[1]) => {
      const other = await announceElsewhere(backend.options, cards)
      others.push(other)
      return other
    }
    const eventuallyIds = (heard: Heard, ids: string[], ms = 15_000) =>
      eventually(
        `the cards are ${ids.slice(0, 5)}`,
        () => JSON.stringify([...heard.cards.keys()].sort()) === JSON.stringify([...ids].sort()),
        ms,
      )

    it('cards that exist are told before watch resolves', async () => {
      const [worker, frontend] = [await join(), await join()]
      await worker.announce(cardOf('first', { at: 1 }, 'existing'))
      await worker.announce(cardOf('second', { at: 2 }, 'existing'))
      const heard = await listen(frontend, 'existing')
      expect(heard.lines.toSorted()).toEqual(['added first', 'added second'])
      expect(heard.cards.get('second')).toEqual(cardOf('second', { at: 2 }, 'existing'))
    })

    it('cards of every kind are told as they are', async () => {
      const every: Record<CardKind, true> = { worker: true, frontend: true, node: true, 'media-worker': true, 'encode-worker': true }
      const kinds = Object.keys(every) as CardKind[]
      const [one, other] = [await join(), await join()]
      for (const kind of kinds) await one.announce({ ...cardOf(`a-${kind}`, {}, 'kinds'), kind })
      const heard = await listen(other, 'kinds')
      expect([...heard.cards.values()].map(({ kind }) => kind).toSorted()).toEqual(kinds.toSorted())
    })

    it('announce, update and withdraw are told in order, each once', async () => {
      const [worker, frontend] = [await join(), await join()]
      const heard = await listen(frontend, 'life')
      expect(heard.lines).toEqual([])
      const card = await worker.announce(cardOf('a', { load: 0 }, 'life'))
      await eventuallyIds(heard, ['a'])
      await card.update({ load: 1 })
      await eventually('the update is told', () => heard.cards.get('a')?.body.load === 1)
      await card.withdraw()
      await card.withdraw()
      await eventuallyIds(heard, [])
      expect(heard.lines).toEqual(['added a', 'changed a', 'gone a'])
      expect(heard.wrong).toEqual([])
    })

    it('a withdrawn card cannot be updated, and can be announced again', async () => {
      const [worker, frontend] = [await join(), await join()]
      const heard = await listen(frontend, 'again')
      const card = await worker.announce(cardOf('a', {}, 'again'))
      await card.withdraw()
      expect(card.update({ late: true })).rejects.toThrow('withdrawn')
      await eventuallyIds(heard, [])
      await worker.announce(cardOf('a', { second: true }, 'again'))
      await eventually('it is back', () => heard.cards.get('a')?.body.second === true)
      expect(heard.wrong).toEqual([])
    })

    it('two watchers hear the same, one stopped hears nothing', async () => {
      const [worker, one, two] = [await join(), await join(), await join()]
      const [first, second, stopped] = [await listen(one, 'pair'), await listen(two, 'pair'), await listen(two, 'pair')]
      stopped.stop()
      const card = await worker.announce(cardOf('a', {}, 'pair'))
      await eventuallyIds(first, ['a'])
      await eventuallyIds(second, ['a'])
      await card.withdraw()
      await eventuallyIds(first, [])
      await eventuallyIds(second, [])
      expect([...first.wrong, ...second.wrong]).toEqual([])
      expect(stopped.lines).toEqual([])
    })

    it('namespaces are apart, whatever they and the ids are called', async () => {
      const [worker, frontend] = [await join(), await join()]
      const spaces = ['plain', 'Plain', 'plain.sub', 'sp ace/../x', '*', '>', 'ünï', '-', 'x'.repeat(300)]
      const ids = ['a', 'A', '-', '--rf', '0', 'y'.repeat(200), 'y'.repeat(201)]
      await Promise.all(spaces.flatMap((space) => ids.map((id) => worker.announce(cardOf(id, { space }, space)))))
      for (const space of spaces) {
        const heard = await listen(frontend, space)
        await eventuallyIds(heard, ids)
        expect([...heard.cards.values()].every((card) => card.body.space === space)).toBe(true)
        expect(heard.wrong).toEqual([])
        heard.stop()
      }
    })

    it('many cards and large ones arrive whole', async () => {
      const [worker, frontend] = [await join(), await join()]
      const template = 'Grüße 你好 "\\\n'.repeat(8000)
      const heard = await listen(frontend, 'many')
      const ids = Array.from({ length: 40 }, (_, i) => `card-${i}`)
      await Promise.all(ids.map((id) => worker.announce(cardOf(id, { template: id.slice(5, 8) === '7' ? template : id }, 'many'))))
      await eventuallyIds(heard, ids, 30_000)
      expect(heard.cards.get('card-7')?.body.template).toBe(template)
      const late = await listen(frontend, 'many')
      await eventuallyIds(late, ids)
      expect([...heard.wrong, ...late.wrong]).toEqual([])
    })

    it('of several updates at once the last one stays', async () => {
      const [worker, frontend] = [await join(), await join()]
      const card = await worker.announce(cardOf('a', { n: 0 }, 'burst'))
      const heard = await listen(frontend, 'burst')
      await Promise.all(Array.from({ length: 50 }, (_, i) => card.update({ n: i + 1 })))
      await eventually('the last one is there', () => heard.cards.get('a')?.body.n === 50)
      expect(heard.wrong).toEqual([])
    })

    it('close withdraws, ends the watches and is idempotent', async () => {
      const [worker, frontend] = [await join(), await join()]
      const heard = await listen(frontend, 'closing')
      const own = await listen(worker, 'closing')
      const card = await worker.announce(cardOf('a', {}, 'closing'))
      await eventuallyIds(heard, ['a'])
      await Promise.all([worker.close(), worker.close()])
      await eventuallyIds(heard, [])
      const before = own.lines.length
      expect(worker.announce(cardOf('b', {}, 'closing'))).rejects.toThrow('closed')
      expect(worker.watch('closing', () => {})).rejects.toThrow('closed')
      expect(card.update({})).rejects.toThrow('withdrawn')
      await (await (await join()).announce(cardOf('c', {}, 'closing'))).withdraw()
      expect(own.lines.length).toBe(before)
    })

    itWithProcesses('a killed process is gone, one that lives stays', async () => {
      const frontend = await join()
      const heard = await listen(frontend, 'killed')
      await elsewhere(cardOf('stays', {}, 'killed'))
      const victim = await elsewhere(cardOf('dies', {}, 'killed'), cardOf('dies-too', {}, 'killed'))
      await eventuallyIds(heard, ['stays', 'dies', 'dies-too'])
      victim.kill('SIGKILL')
      const killed = performance.now()
      await eventuallyIds(heard, ['stays'], goneMs)
      if (process.env.DYN_TEST_TIMES === '1') console.log(`${name}: gone after ${Math.round(performance.now() - killed)} ms`)
      const late = await listen(frontend, 'killed')
      expect([...late.cards.keys()]).toEqual(['stays'])
      expect([...heard.wrong, ...late.wrong]).toEqual([])
    })

    itWithProcesses('a process that is stopped and goes on comes back', async () => {
      const heard = await listen(await join(), 'stopped')
      const other = await elsewhere(cardOf('a', {}, 'stopped'))
      await eventuallyIds(heard, ['a'])
      other.kill('SIGSTOP')
      await eventuallyIds(heard, [], goneMs)
      other.kill('SIGCONT')
      await eventuallyIds(heard, ['a'])
      other.kill('SIGTERM')
      await eventuallyIds(heard, [])
      expect(heard.wrong).toEqual([])
    })

    itWithProcesses('a backend that is away changes nothing, and shows what changed meanwhile when it is back', async () => {
      const [worker, frontend] = [await join(), await join()]
      const card = await worker.announce(cardOf('a', { n: 1 }, 'outage'))
      await elsewhere(cardOf('b', {}, 'outage'))
      const heard = await listen(frontend, 'outage')
      await eventuallyIds(heard, ['a', 'b'])
      await backend.outage.begin()
      await Bun.sleep(3000)
      const update = card.update({ n: 2 })
      const announced = worker.announce(cardOf('c', {}, 'outage'))
      await Bun.sleep(500)
      expect([...heard.cards.keys()].sort()).toEqual(['a', 'b'])
      await backend.outage.end()
      await Promise.all([update, announced])
      await eventually('the update is told', () => heard.cards.get('a')?.body.n === 2)
      await eventuallyIds(heard, ['a', 'b', 'c'])
      expect(heard.lines.filter((line) => line.startsWith('gone'))).toEqual([])
      expect(heard.wrong).toEqual([])
    })

    itWithProcesses('who died while the backend was away is gone when it is back', async () => {
      const heard = await listen(await join(), 'died-away')
      const victim = await elsewhere(cardOf('dies', {}, 'died-away'))
      await elsewhere(cardOf('lives', {}, 'died-away'))
      await eventuallyIds(heard, ['dies', 'lives'])
      await backend.outage.begin()
      victim.kill('SIGKILL')
      await Bun.sleep(2500)
      expect([...heard.cards.keys()].sort()).toEqual(['dies', 'lives'])
      await backend.outage.end()
      await eventuallyIds(heard, ['lives'], 20_000)
      expect(heard.lines.filter((line) => line === 'gone lives')).toEqual([])
    })

    itWithProcesses('a backend that comes back without its data is told again, and nobody is gone for it', async () => {
      const [worker, frontend] = [await join(), await join()]
      await worker.announce(cardOf('a', {}, 'wiped'))
      await elsewhere(cardOf('b', {}, 'wiped'))
      const heard = await listen(frontend, 'wiped')
      await eventuallyIds(heard, ['a', 'b'])
      await backend.outage.begin()
      await backend.outage.lose()
      await backend.outage.end()
      const late = await join()
      await eventually('a new watcher finds them', async () => {
        const again = await listen(late, 'wiped')
        again.stop()
        return again.cards.size === 2
      })
      await Bun.sleep(2500)
      expect(heard.lines).toEqual(heard.lines.filter((line) => !line.startsWith('gone')))
      expect([...heard.cards.keys()].sort()).toEqual(['a', 'b'])
    })
  })
}
