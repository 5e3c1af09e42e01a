// Any text as a name that file systems, NATS subjects and etcd keys take, different for different texts.
import { createHash } from 'node:crypto'

const longest = 120

/** Letters, digits, `-` and `_` stay; each other byte becomes `=` and two hex digits; what is long ends in a hash instead. Never empty. */
export function safeName(text: string): string {
  const safe = [...new TextEncoder().encode(text)]
    .map((byte) => {
      const char = String.fromCharCode(byte)
      return /[A-Za-z0-9_-]/.test(char) ? char : `=${byte.toString(16).padStart(2, '0')}`
    })
    .join('')
  if (safe === '') return '=='
  return safe.length <= longest ? safe : `${safe.slice(0, longest - 34)}==${createHash('sha256').update(text).digest('hex').slice(0, 32)}`
}
