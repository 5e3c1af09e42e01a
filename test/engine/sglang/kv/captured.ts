// Frames that SGLang 0.5.23 sent (test/fixtures/kv-events): one list of parts a message.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

export const captured = (name: 'live.jsonl' | 'replay.jsonl'): Uint8Array[][] =>
  readFileSync(join(import.meta.dir, '../../../fixtures/kv-events', name), 'utf8')
    .trim()
    .split('\n')
    .map((line) => (JSON.parse(line) as string[]).map((hex) => new Uint8Array(Buffer.from(hex, 'hex'))))
