// JSON from clients within limits of its shape: what later code must not meet, and what JSON.parse itself would take seconds for.
import { AppError } from './errors.ts'

const MAX_DEPTH = 128
/** Arrays may be longer only where token ids are expected. */
const MAX_ITEMS = 65_536
const idFields: ReadonlySet<string> = new Set(['prompt', 'input', 'input_ids', 'tokens', 'token_data'])
/** Objects may have more only where their names are token ids. */
const MAX_MEMBERS = 10_000
const MAX_BIASES = 65_536
const biasFields: ReadonlySet<string> = new Set(['logit_bias'])
/** Members, objects and arrays of one request: each costs its allocation, and a member its name. */
const MAX_PARTS = 1 << 19
/** Longer texts are looked at before they are parsed: JSON.parse takes seconds for megabytes of brackets or names. */
const SMALL_TEXT = 1 << 16

export interface JsonPlace {
  /** The text's name at the start of a sentence. */
  whole: string
  /** The form's field that it is; absent: the whole body. */
  param?: string
  /** What is left of MAX_PARTS when several texts are one request. */
  room?: JsonRoom
}

export interface JsonRoom {
  parts: number
}

export function jsonRoom(): JsonRoom {
  return { parts: MAX_PARTS }
}

/** The text as a value. Throws `invalid_json` (nested too deep), `invalid_value` (too many items or members), and JSON.parse's SyntaxError. */
export function parseJson(text: string, place: JsonPlace): unknown {
  const room = place.room ?? jsonRoom()
  if (text.length > SMALL_TEXT) {
    checkText(text, place, room)
    return JSON.parse(text)
  }
  const value: unknown = JSON.parse(text)
  if (typeof value === 'object' && value !== null) checkValue(value, 0, place.param ?? '', place, room)
  return value
}

/** The limits, read off the text; of texts that are no JSON any or none may be said. One pass, and nothing is made. */
export function checkText(text: string, place: JsonPlace, room: JsonRoom): void {
  const open: Open[] = []
  let inner: Open | undefined
  // Where the last string is, and the last name of a member.
  let [from, to, nameFrom, nameTo] = [0, 0, 0, 0]
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === 0x22) {
      const end = stringEnd(text, at)
      if (end < 0) return
      from = at + 1
      to = end
      at = end
    } else if (code === 0x3a) {
      nameFrom = from
      nameTo = to
      spend(room, place)
    } else if (code === 0x2c) {
      if (inner !== undefined && ++inner.commas >= inner.most) checkCount(text, inner, place)
    } else if (code === 0x5b || code === 0x7b) {
      if (open.length > MAX_DEPTH) throw tooDeep(place)
      spend(room, place)
      const array = code === 0x5b
      const most = array ? MAX_ITEMS : MAX_MEMBERS
      if (inner === undefined) inner = { array, nameFrom: 0, nameTo: 0, commas: 0, most }
      else if (inner.array) inner = { array, nameFrom: inner.nameFrom, nameTo: inner.nameTo, commas: 0, most }
      else inner = { array, nameFrom, nameTo, commas: 0, most }
      open.push(inner)
    } else if (code === 0x5d || code === 0x7d) {
      open.pop()
      inner = open.at(-1)
    }
  }
}

/** An array or object whose end is not reached, and where its name stands in the text. */
interface Open {
  array: boolean
  nameFrom: number
  nameTo: number
  commas: number
  /** Commas at which its name has to be looked at. */
  most: number
}

function checkCount(text: string, open: Open, place: JsonPlace): void {
  const name = text.slice(open.nameFrom, open.nameTo) || (place.param ?? '')
  open.most = open.array ? mostItems(name) : mostMembers(name)
  if (open.commas >= open.most) throw tooMany(open.array, name, open.most, place)
}

/** The same limits, on what was parsed. An array's objects go by the array's name. */
export function checkValue(value: object, depth: number, name: string, place: JsonPlace, room: JsonRoom): void {
  if (depth > MAX_DEPTH) throw tooDeep(place)
  spend(room, place)
  if (Array.isArray(value)) {
    const most = mostItems(name)
    if (value.length > most) throw tooMany(true, name, most, place)
    for (let i = 0; i < value.length; i++) {
      const item = value[i]
      if (typeof item === 'object' && item !== null) checkValue(item, depth + 1, name, place, room)
    }
    return
  }
  const members = value as Record<string, unknown>
  const most = mostMembers(name)
  let count = 0
  for (const key in members) {
    if (++count > most) throw tooMany(false, name, most, place)
    spend(room, place)
    const member = members[key]
    if (typeof member === 'object' && member !== null) checkValue(member, depth + 1, key, place, room)
  }
}

function mostItems(name: string): number {
  return idFields.has(name) ? Number.POSITIVE_INFINITY : MAX_ITEMS
}

function mostMembers(name: string): number {
  return biasFields.has(name) ? MAX_BIASES : MAX_MEMBERS
}

function spend(room: JsonRoom, place: JsonPlace): void {
  if (--room.parts >= 0) return
  throw new AppError('invalid_value', {
    message: `${place.whole} has too many values: a request may have ${MAX_PARTS} members, objects and arrays in all.`,
    param: place.param,
  })
}

function tooDeep({ whole, param }: JsonPlace): AppError {
  return new AppError('invalid_json', { message: `${whole} is nested deeper than ${MAX_DEPTH} levels.`, param })
}

function tooMany(array: boolean, name: string, most: number, { whole, param }: JsonPlace): AppError {
  const shown = name.length > 100 ? `${name.slice(0, 100)}…` : name
  const what = array ? 'items' : 'members'
  const message = `${shown === '' ? whole : `'${shown}'`} has too many ${what}; at most ${most} are allowed.`
  return new AppError('invalid_value', { message, param: param ?? (shown === '' ? undefined : shown) })
}

/** The closing quote of the string that opens at `open`; -1 when it has none. */
export function stringEnd(text: string, open: number): number {
  for (let at = text.indexOf('"', open + 1); at >= 0; at = text.indexOf('"', at + 1)) {
    let before = at - 1
    while (text.charCodeAt(before) === 0x5c) before--
    if ((at - before) % 2 === 1) return at
  }
  return -1
}
