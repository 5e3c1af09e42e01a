// UTF-8 with the replacement rules that Rust's from_utf8_lossy and the WHATWG decoder share: one U+FFFD for each maximal broken part.

const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

/** Bytes to text; broken parts become U+FFFD. */
export function lossy(bytes: Uint8Array): string {
  return decoder.decode(bytes)
}

/** How many bytes at the end of `bytes[0..length)` are the beginning of a character that may still be completed (0 to 3). */
export function openBytes(bytes: Uint8Array, length: number): number {
  for (let back = 1; back <= 3 && back <= length; back++) {
    const lead = bytes[length - back]!
    if (lead < 0x80) return 0
    if (lead < 0xc0) continue // a continuation: the lead is further left
    const size = lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0
    if (size <= back) return 0
    return back === 1 || secondFits(lead, bytes[length - back + 1]!) ? back : 0
  }
  return 0
}

/** True when the bytes are whole characters. */
export function isWhole(bytes: Uint8Array): boolean {
  return !lossy(bytes).includes('\ufffd') || isEncodedReplacement(bytes)
}

/** The second byte rules out overlong forms, surrogates and what lies beyond U+10FFFF. */
function secondFits(lead: number, second: number): boolean {
  if (lead === 0xe0) return second >= 0xa0
  if (lead === 0xed) return second < 0xa0
  if (lead === 0xf0) return second >= 0x90
  if (lead === 0xf4) return second < 0x90
  return true
}

/** U+FFFD may be in the text itself: then encoding the decoded text gives the bytes back. */
function isEncodedReplacement(bytes: Uint8Array): boolean {
  return Buffer.from(lossy(bytes), 'utf8').equals(bytes)
}
