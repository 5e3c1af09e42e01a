// Numbers of JSON as they were written. A double loses the end of a long integer, and that 1.0 is a float: a grammar made of the one allows another number, and a
// template of Python prints the other otherwise. What a double does not give back stays a raw number (JSON.rawJSON of ECMAScript), which JSON.stringify writes as it came.
import { stringEnd } from './json-limits.ts'

/** TypeScript does not know these yet. */
const { rawJSON, isRawJSON } = JSON as unknown as { rawJSON(text: string): RawNumber; isRawJSON(value: unknown): value is RawNumber }

interface RawNumber {
  readonly rawJSON: string
}

/** What a double may not give back: more than 15 digits, a fraction, an exponent. */
const suspect = /\d{16}|\d[.eE]/

/** As JSON.parse, but numbers that JSON.stringify would write otherwise are raw. `onRaw` hears that there is one. */
export function parseExact(text: string, onRaw: () => void = () => {}): unknown {
  if (!suspect.test(text)) return JSON.parse(text)
  const keep = (_name: string, value: unknown, { source }: { source?: string }): unknown => {
    if (typeof value !== 'number' || source === undefined || String(value) === source) return value
    onRaw()
    return rawJSON(source)
  }
  return JSON.parse(text, keep as Parameters<typeof JSON.parse>[1])
}

/** Members of a request's body that are passed on: schemas to grammars, tools to templates. */
const passedOn = ['tools', 'response_format', 'json_schema', 'structural_tag', 'guided_json', 'structured_outputs']
const withRaw = new WeakSet<object>()

/** Puts the exact numbers into those members of `body`, which is what `text` says. */
export function keepNumbers(text: string, body: Record<string, unknown>): void {
  const names = passedOn.filter((name) => typeof body[name] === 'object' && body[name] !== null)
  if (names.length === 0) return
  for (const [name, part] of memberTexts(text, names)) {
    let found = false
    const value = parseExact(part, () => {
      found = true
    })
    if (!found) continue
    withRaw.add(value as object)
    body[name] = value
  }
}

/** `value`, a member that keepNumbers has seen, with `made` of each raw number's text in its place; the same object where it has none. */
export function withNumbers<T extends object>(value: T, made: (source: string) => unknown): T {
  return withRaw.has(value) ? (copied(value, made) as T) : value
}

function copied(value: unknown, made: (source: string) => unknown): unknown {
  if (isRawJSON(value)) return made(value.rawJSON)
  if (Array.isArray(value)) return value.map((item) => copied(item, made))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, copied(item, made)]))
}

/** The texts of these members of the object that `text` is; of equal names the last, as JSON.parse has it. */
function memberTexts(text: string, names: readonly string[]): Map<string, string> {
  const found = new Map<string, string>()
  let [depth, nameFrom, nameTo, from] = [0, 0, 0, -1]
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === 0x22) {
      const end = stringEnd(text, at)
      if (from < 0) [nameFrom, nameTo] = [at + 1, end]
      at = end
    } else if (code === 0x3a) {
      if (from < 0) from = at + 1
    } else if (code === 0x5b || code === 0x7b) depth++
    else if (code === 0x2c || code === 0x5d || code === 0x7d) {
      if (depth === 1 && from >= 0) {
        const name = text.slice(nameFrom, nameTo)
        if (names.includes(name)) found.set(name, text.slice(from, at))
        from = -1
      }
      if (code !== 0x2c) depth--
    }
  }
  return found
}
