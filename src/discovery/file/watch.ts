// Watches the shared folder: looks five times a second, and at once when the kernel says that a card came or went.
import { type FSWatcher, watch } from 'node:fs'
import { readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { log } from '../../lib/log.ts'
import { Bell } from '../bell.ts'
import type { CardChange } from '../discovery.ts'
import { lookMs, Roster } from '../roster.ts'
import { beatFile, cardFile, cardsFolder } from './layout.ts'
import { CardFiles } from './read.ts'

/** What dead processes left is removed after so long, what withdrawn ones left sooner. */
const cleanMs = 60_000
const cleanByeMs = 10_000
const atOnce = 16

/**
 * Resolves after a look that the folder answered and that leaves no card in doubt; a folder that does not exist has no cards.
 * Goes on until the signal.
 */
export async function watchFolder(
  folder: string,
  namespace: string,
  listener: (change: CardChange) => void,
  signal: AbortSignal,
): Promise<void> {
  const base = cardsFolder(folder, namespace)
  const roster = new Roster(listener)
  const files = new CardFiles(base, namespace, roster)
  const bell = new Bell()
  let watcher: FSWatcher | undefined
  let watched = 0

  const unwatch = () => {
    watcher?.close()
    watcher = undefined
    watched = 0
  }
  /** Only a help: where the kernel cannot tell (network file systems) the looks are enough. */
  function follow(inode: number): void {
    if (inode === watched) return
    unwatch()
    watched = inode
    try {
      watcher = watch(base, (event, file) => {
        if (event === 'rename' && !`${file}`.endsWith('.tmp')) bell.ring()
      })
      watcher.on('error', unwatch)
    } catch (error) {
      log.debug({ folder: base, reason: (error as Error).message }, 'the folder cannot be watched; it is looked at instead')
    }
  }

  async function look(): Promise<void> {
    let names: string[] = []
    try {
      follow((await stat(base)).ino)
      names = (await readdir(base)).filter((file) => file.endsWith('.beat')).map((file) => file.slice(0, -'.beat'.length))
    } catch (error) {
      unwatch()
      // No folder: whoever lives makes it again within one heartbeat.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    }
    for (let i = 0; i < names.length; i += atOnce) await Promise.all(names.slice(i, i + atOnce).map((name) => files.read(name)))
    if (signal.aborted) return
    roster.look(performance.now())
    for (const card of roster.silent()) roster.lost(card.id)
    for (const name of files.left(cleanMs, cleanByeMs)) {
      await rm(join(base, cardFile(name)), { force: true })
      await rm(join(base, beatFile(name)), { force: true })
    }
  }

  let away = false
  /** False while the folder does not answer: then what is known stays. */
  async function answered(): Promise<boolean> {
    try {
      await look()
      if (away) log.info({ folder: base }, 'the discovery folder is back')
      away = false
      return true
    } catch (error) {
      if (!away) log.warn({ folder: base, reason: (error as Error).message }, 'the discovery folder does not answer; what is known stays')
      away = true
      roster.forgive()
      return false
    }
  }
  async function next(): Promise<void> {
    // A card and its heartbeat come one after the other, and many cards together.
    if (await bell.wait(lookMs, signal)) await new Bell().wait(10, signal)
  }

  signal.addEventListener('abort', () => {
    roster.end()
    unwatch()
  })
  while (!signal.aborted && (!(await answered()) || roster.doubts)) await next()
  void (async () => {
    while (!signal.aborted) {
      await next()
      if (!signal.aborted) await answered()
    }
    unwatch()
  })()
}
