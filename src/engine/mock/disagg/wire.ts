// How the mock's decode engines fetch KV: a TCP connection for each prompt, whose life is the transfer's. One line each way:
// the decode side says which room it wants, the prefill side says `sent <cached tokens>` or `failed <why>`.

export const wantLine = (room: number): string => `${room}\n`
export const sentLine = (cachedTokens: number): string => `sent ${cachedTokens}\n`
export const failedLine = (why: string): string => `failed ${why.replaceAll('\n', ' ')}\n`

/** A line longer than this is none of ours. */
const longest = 1024

/** Joins what comes in pieces to one line. `undefined`: not there yet. Throws RangeError when it cannot be one of ours. */
export function lineOf(before: string, chunk: Uint8Array): { line: string | undefined; rest: string } {
  const text = before + new TextDecoder().decode(chunk)
  const end = text.indexOf('\n')
  if (end >= 0) return { line: text.slice(0, end), rest: '' }
  if (text.length > longest) throw new RangeError('no line')
  return { line: undefined, rest: text }
}
