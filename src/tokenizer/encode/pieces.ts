// Cuts text into pieces at places that no token can span, always the same way from the start: two prompts with a shared beginning share
// their first pieces, which the piece cache then has.

/** Wanted length of a piece in characters; it ends at the first safe cut after that. */
const pieceLength = 512

/** The end of the piece that starts at `from`: a safe cut, or the end of the text. */
export type PieceEnd = (text: string, from: number) => number

export const isAsciiLetter = (code: number) => (code >= 97 && code <= 122) || (code >= 65 && code <= 90)

/** ASCII letters and the unified CJK ideographs. */
const isLetter = (code: number) => isAsciiLetter(code) || (code >= 0x4e00 && code <= 0x9fa5)

/** ASCII except letters and the apostrophe (contractions), and the full-width marks that end CJK phrases. */
const endsWord = (code: number) =>
  (code < 128 && code !== 39 && !isLetter(code)) ||
  code === 0x3001 ||
  code === 0x3002 ||
  code === 0xff0c ||
  code === 0xff01 ||
  code === 0xff1f

/** For the regex-split families of split-patterns.ts: a word ends between a letter and one of these, whatever follows. */
export const byteLevelPieceEnd: PieceEnd = (text, from) => {
  for (let at = from + pieceLength; at < text.length; at++)
    if (endsWord(text.charCodeAt(at)) && isLetter(text.charCodeAt(at - 1))) return at
  return text.length
}

/**
 * For sentencepiece BPE without a pre-tokenizer, whose vocabulary has no token with a ▁ after a letter (the caller has checked): no merge
 * spans that place.
 */
export const sentencePieceEnd: PieceEnd = (text, from) => {
  for (let at = from + pieceLength; at < text.length; at++)
    if (text.charCodeAt(at) === 0x2581 && isAsciiLetter(text.charCodeAt(at - 1))) return at
  return text.length
}
