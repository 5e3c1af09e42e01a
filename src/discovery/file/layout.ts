// Where cards lie in the shared folder, and the line of a heartbeat. FOLDER/dynamo-sglang/NAMESPACE/ID.json is the card, ID.beat its sign of life.
// The heartbeat is a file of its own so that a look at a hundred workers reads a hundred lines, not a hundred cards; it is written in place and read
// by opening it, because network file systems answer a `stat` from their cache for seconds.
import { join } from 'node:path'
import type { Card } from '../discovery.ts'
import { safeName } from '../safe-name.ts'

export const cardsFolder = (folder: string, namespace: string): string => join(folder, 'dynamo-sglang', safeName(namespace))
export const cardFile = (name: string): string => `${name}.json`
export const beatFile = (name: string): string => `${name}.beat`
export const nameOf = (card: Card): string => safeName(card.id)

/** All lines have one length, so that one overwrites the other whole. */
const lineLength = 64

export interface Beat {
  /** Names what the card file holds; a new version has to be read. `bye`: withdrawn. */
  readonly version: string
  readonly count: string
}

export const bye = 'bye'

export function beatLine(version: string, count: number): string {
  return `${`${version} ${count}`.padEnd(lineLength - 1)}\n`
}

/** Undefined when it is no whole line: half written, or not ours. */
export function readBeat(line: string): Beat | undefined {
  if (line.length !== lineLength || !line.endsWith('\n')) return undefined
  const [version, count, more] = line.trimEnd().split(' ')
  if (version === undefined || count === undefined || more !== undefined) return undefined
  return { version, count }
}
