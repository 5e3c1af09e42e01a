// Filters on sequences and dicts.
import { attribute, item } from '../access.ts'
import { TemplateFault } from '../fault.ts'
import { compute, order } from '../operators.ts'
import { equal, isDict, isMapping, iterate, Lazy, lengthOf, type Named, type Tuple, toText, truthy, tuple, typeName } from '../values.ts'
import { checks } from './checks.ts'
import { arg, type Filter, valueFilters } from './filters.ts'
import { itemsOf } from './methods.ts'

/** A reader of "a.b.0": what attribute= names; items first, as Jinja's make_attrgetter. */
function getter(path: unknown): (value: unknown) => unknown {
  if (typeof path === 'number') return (value) => item(value, path)
  const steps = toText(path)
    .split('.')
    .map((step) => (/^\d+$/.test(step) ? Number(step) : step))
  return (value) => steps.reduce<unknown>((at, step) => (at === undefined ? undefined : item(at, step)), value)
}

/** Strings compare without case unless told otherwise. */
const folded = (value: unknown, exact: boolean) => (!exact && typeof value === 'string' ? value.toLowerCase() : value)

function sorted(values: readonly unknown[], key: (value: unknown) => unknown, reverse: boolean): unknown[] {
  const keyed = values.map((value) => ({ value, key: key(value) }))
  keyed.sort((a, b) => (reverse ? order(b.key, a.key) : order(a.key, b.key)))
  return keyed.map((entry) => entry.value)
}

/** A sort key for attribute="a,b". */
function sortKey(attributes: unknown, exact: boolean): (value: unknown) => unknown {
  if (attributes == null) return (value) => folded(value, exact)
  const getters = String(attributes).split(',').map(getter)
  if (getters.length === 1) return (value) => folded(getters[0]!(value), exact)
  return (value) => getters.map((get) => folded(get(value), exact))
}

/** The items to choose from or to map; whatever is false has none, as in Jinja. */
const some = (value: unknown) => (truthy(value) ? iterate(value) : [])

/** select, reject and their attr forms: `keep` is the wanted outcome of the test. */
function choose(value: unknown, args: unknown[], keep: boolean, byAttribute: boolean): Lazy {
  const get = byAttribute ? getter(args[0]) : (x: unknown) => x
  const [name, ...rest] = byAttribute ? args.slice(1) : args
  const check = name === undefined ? truthy : Object.hasOwn(checks, toText(name)) ? checks[toText(name)] : undefined
  if (check === undefined) throw new TemplateFault(`No test named '${toText(name)}'.`)
  return new Lazy(some(value).filter((x) => check(get(x), rest) === keep))
}

function map(value: unknown, args: unknown[], named: Named): Lazy {
  if (args.length === 0 && named !== null && 'attribute' in named) {
    const get = getter(named.attribute)
    return new Lazy(some(value).map((x) => get(x) ?? (named.default === undefined ? get(x) : named.default)))
  }
  const filter = filterNamed(toText(args[0]))
  if (filter === undefined)
    throw new TemplateFault(args.length === 0 ? 'map requires a filter argument' : `No filter named '${toText(args[0])}'.`)
  return new Lazy(some(value).map((x) => filter(x, args.slice(1), named)))
}

function extreme(value: unknown, args: unknown[], named: Named, sign: number): unknown {
  const key = sortKey(arg(args, named, 1, 'attribute'), truthy(arg(args, named, 0, 'case_sensitive')))
  let best: unknown
  for (const [i, x] of iterate(value).entries()) if (i === 0 || order(key(x), key(best)) * sign > 0) best = x
  return best
}

function unique(value: unknown, args: unknown[], named: Named): Lazy {
  const key = sortKey(arg(args, named, 1, 'attribute'), truthy(arg(args, named, 0, 'case_sensitive')))
  const seen: unknown[] = []
  const kept = iterate(value).filter((x) => {
    const own = key(x)
    if (seen.some((other) => equal(other, own))) return false
    seen.push(own)
    return true
  })
  return new Lazy(kept)
}

function groupby(value: unknown, args: unknown[], named: Named): unknown[] {
  const get = getter(arg(args, named, 0, 'attribute'))
  const other = arg(args, named, 1, 'default')
  const exact = truthy(arg(args, named, 2, 'case_sensitive'))
  const key = (x: unknown) => folded(get(x) ?? other, exact)
  const groups: { key: unknown; name: unknown; items: unknown[] }[] = []
  for (const x of sorted(iterate(value), key, false)) {
    const last = groups.at(-1)
    if (last && equal(last.key, key(x))) last.items.push(x)
    else groups.push({ key: key(x), name: get(x) ?? other, items: [x] })
  }
  return groups.map((group) => tuple([group.name, group.items]))
}

function batch(value: unknown, args: unknown[], named: Named): Lazy {
  const size = Number(arg(args, named, 0, 'linecount'))
  const fill = arg(args, named, 1, 'fill_with')
  const items = iterate(value)
  const rows: unknown[][] = []
  for (let i = 0; i < items.length; i += size) rows.push(items.slice(i, i + size))
  const last = rows.at(-1)
  while (last && fill != null && last.length < size) last.push(fill)
  return new Lazy(rows)
}

const first: Filter = (value) => (value instanceof Lazy ? value.first() : iterate(value)[0])

const listFilters: Record<string, Filter> = {
  length: lengthOf,
  count: lengthOf,
  first,
  last: (value) => {
    if (value instanceof Lazy) throw new TemplateFault("'generator' object is not reversible")
    return iterate(value).at(-1)
  },
  list: (value) => Array.from(iterate(value)),
  items: (value) => {
    if (value === undefined) return new Lazy([])
    if (!isMapping(value)) throw new TemplateFault('Can only get item pairs from a mapping.')
    return new Lazy(itemsOf(value))
  },
  join: (value, args, named) => {
    const by = arg(args, named, 1, 'attribute')
    const items = by === undefined ? iterate(value) : iterate(value).map(getter(by))
    return Array.from(items, toText).join(toText(arg(args, named, 0, 'd') ?? ''))
  },
  reverse: (value) => {
    if (typeof value === 'string') return [...value].reverse().join('')
    if (isMapping(value) || Array.isArray(value) || value === undefined) return new Lazy(Array.from(iterate(value)).reverse())
    throw new TemplateFault('argument must be iterable')
  },
  sort: (value, args, named) => {
    const exact = truthy(arg(args, named, 1, 'case_sensitive'))
    return sorted(iterate(value), sortKey(arg(args, named, 2, 'attribute'), exact), truthy(arg(args, named, 0, 'reverse')))
  },
  dictsort: (value, args, named) => {
    if (!isMapping(value)) throw new TemplateFault(`'${typeName(value)}' object has no attribute 'items'`)
    const exact = truthy(arg(args, named, 0, 'case_sensitive'))
    const at = arg(args, named, 1, 'by') === 'value' ? 1 : 0
    return sorted(itemsOf(value), (pair) => folded((pair as Tuple)[at], exact), truthy(arg(args, named, 2, 'reverse')))
  },
  map,
  select: (value, args) => choose(value, args, true, false),
  reject: (value, args) => choose(value, args, false, false),
  selectattr: (value, args) => choose(value, args, true, true),
  rejectattr: (value, args) => choose(value, args, false, true),
  attr: (value, [name]) =>
    isDict(value) && attribute(value, toText(name)) === value[toText(name)] ? undefined : attribute(value, toText(name)),
  unique,
  groupby,
  batch,
  min: (value, args, named) => extreme(value, args, named, -1),
  max: (value, args, named) => extreme(value, args, named, 1),
  sum: (value, args, named) => {
    const by = arg(args, named, 0, 'attribute')
    const get = by == null ? (x: unknown) => x : getter(by)
    return iterate(value).reduce<unknown>((total, x) => compute('+', total, get(x)), arg(args, named, 1, 'start') ?? 0)
  },
}

/** A filter by name; undefined when there is none. */
export function filterNamed(name: string): Filter | undefined {
  if (Object.hasOwn(valueFilters, name)) return valueFilters[name]
  return Object.hasOwn(listFilters, name) ? listFilters[name] : undefined
}
