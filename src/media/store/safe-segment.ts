// One segment of a path out of any text.

/** Letters, digits, `.`, `_` and `-` stay, up to 64; anything else changes the text, and a hash keeps it apart from others. */
export function safeSegment(text: string): string {
  if (/^[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}$/.test(text)) return text
  const kept = text.replace(/[^A-Za-z0-9_-]+/g, '_').slice(0, 40)
  return `${kept}-${new Bun.CryptoHasher('sha256').update(text).digest('hex').slice(0, 16)}`
}
