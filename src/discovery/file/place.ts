// Puts cards into the shared folder. Every write is whole or not there: a temporary file that takes the name, or one line of fixed length in place.
import { mkdir, open, rename, rm, stat, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { newId } from '../../lib/ids.ts'
import type { Card } from '../discovery.ts'
import type { CardPlace } from '../kept-card.ts'
import { beatFile, beatLine, bye, cardFile, cardsFolder, nameOf } from './layout.ts'

const missing = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === 'ENOENT'

export function filePlace(folder: string): CardPlace {
  const versions = new Map<Card['id'], string>()
  let count = 0

  async function replace(path: string, text: string): Promise<void> {
    const fresh = `${path}.${newId()}.tmp`
    try {
      await writeFile(fresh, text, { flush: true })
      await rename(fresh, path)
    } catch (error) {
      await rm(fresh, { force: true }).catch(() => undefined) // The first failure is the one to tell.
      throw error
    }
  }
  async function overwrite(path: string, line: string): Promise<void> {
    const file = await open(path, 'r+')
    try {
      await file.write(line, 0)
    } finally {
      await file.close()
    }
  }

  return {
    name: `folder ${folder}`,
    async show(card) {
      const base = cardsFolder(folder, card.namespace)
      await mkdir(base, { recursive: true })
      const version = newId().slice(0, 16)
      await replace(join(base, cardFile(nameOf(card))), JSON.stringify({ ...card, version }))
      await replace(join(base, beatFile(nameOf(card))), beatLine(version, ++count))
      versions.set(`${card.namespace}/${card.id}`, version)
    },
    async beat(card) {
      const base = cardsFolder(folder, card.namespace)
      try {
        await overwrite(join(base, beatFile(nameOf(card))), beatLine(versions.get(`${card.namespace}/${card.id}`)!, ++count))
        await stat(join(base, cardFile(nameOf(card))))
        return true
      } catch (error) {
        if (missing(error)) return false
        throw error
      }
    },
    async hide(card) {
      const base = cardsFolder(folder, card.namespace)
      try {
        await overwrite(join(base, beatFile(nameOf(card))), beatLine(bye, ++count))
        await unlink(join(base, cardFile(nameOf(card))))
      } catch (error) {
        if (!missing(error)) throw error
      }
    },
  }
}
