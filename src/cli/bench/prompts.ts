// Prompts of common English words, about one token each: the same for the same seed, different from request to request.

const words =
  'time year people way day man thing woman life child world school state family student group country problem hand part place case week company system program question work government number night point home water room mother area money story fact month lot right study book eye job word business issue side kind head house service friend father power hour game line end member law car city name team minute idea body back parent face level office door health person art war history party result change morning reason research girl guy food moment air teacher force order sound light'.split(
    ' ',
  )

/** A small seeded generator of numbers in [0, 1). */
export function dice(seed: number): () => number {
  let state = (seed ^ 0x9e3779b9) >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let x = Math.imul(state ^ (state >>> 15), state | 1)
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61)
    return ((x ^ (x >>> 14)) >>> 0) / 0x1_0000_0000
  }
}

export interface PromptSizes {
  /** Words in all. */
  inputTokens: number
  /** Of these, at the start, the same in every prompt. */
  sharedPrefixTokens: number
  seed: number
}

/** A function from a request's number to its prompt. */
export function promptMaker({ inputTokens, sharedPrefixTokens, seed }: PromptSizes): (index: number) => string {
  const shared = text(dice(seed), sharedPrefixTokens)
  return (index) => {
    const own = text(dice(Math.imul(seed + 1, 0x85ebca6b) ^ Math.imul(index + 1, 0x27d4eb2f)), inputTokens - sharedPrefixTokens)
    return shared === '' || own === '' ? shared + own : `${shared} ${own}`
  }
}

function text(random: () => number, count: number): string {
  return Array.from({ length: count }, () => words[Math.floor(random() * words.length)]!).join(' ')
}
