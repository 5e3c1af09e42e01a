// JSON text written by hand where an object per token would cost too much.

/** `text` as the inside of a JSON string, without the quotes. */
export function jsonInner(text: string): string {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    // Quote, backslash, control characters, and lone surrogates go the long way.
    if (code < 0x20 || code === 0x22 || code === 0x5c || (code >= 0xd800 && code <= 0xdfff)) return JSON.stringify(text).slice(1, -1)
  }
  return text
}
