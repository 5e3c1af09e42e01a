// Every worker that shows a card: told to leave while it starts, it is never left in the sight of others.
import { expect, test } from 'bun:test'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

interface Leaving {
  start(): Promise<unknown>
  lifecycle: { leave(why: string): Promise<unknown> }
}

/** Cards under discovery's folder. A last heartbeat may stay: it says that its worker left. */
export const cards = (folder: string) =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => /\.(json|tmp)$/.test(name))

/** `open` makes a worker that shows its card under `folder` and has no grace period. */
export function leavingSuite(open: (folder: string) => Leaving): void {
  test('told to leave at any moment of its start: no card stays, and it ends', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'leaving-'))
    for (let turns = 0; turns < 40; turns++) {
      const worker = open(folder)
      const ended = worker.start().then(
        () => 'started',
        (error) => error.code,
      )
      for (let turn = 0; turn < turns; turn++) await new Promise(setImmediate)
      await worker.lifecycle.leave('test')
      expect(['started', 'shutting_down']).toContain(await ended)
      expect(cards(folder)).toEqual([])
    }
    rmSync(folder, { recursive: true })
  })
}
