// The functions that every template can call, transformers' own among them.
import { TemplateFault } from '../fault.ts'
import { type Callable, type Dict, isDict, isNumber, iterate, Namespace, numeric, toText } from '../values.ts'
import { strftime } from './strftime.ts'

const maxRange = 100_000

const integer = (value: unknown): number => {
  if (isNumber(value)) return numeric(value)
  throw new TemplateFault('range() arguments must be integers')
}

function range(args: unknown[]): number[] {
  const [start, stop, step] = args.length === 1 ? [0, integer(args[0]), 1] : [integer(args[0]), integer(args[1]), integer(args[2] ?? 1)]
  if (step === 0) throw new TemplateFault('range() arg 3 must not be zero')
  const length = Math.max(0, Math.ceil((stop - start) / step))
  if (length > maxRange) throw new TemplateFault(`Range too big. The sandbox blocks ranges larger than MAX_RANGE (${maxRange}).`)
  return Array.from({ length }, (_, i) => start + i * step)
}

/** dict(mapping or pairs, **named). */
function dict(args: unknown[], named: Dict | null): Dict {
  const made: Dict = {}
  if (isDict(args[0])) Object.assign(made, args[0])
  else if (args[0] !== undefined) for (const pair of iterate(args[0])) [made[toText(iterate(pair)[0])]] = [iterate(pair)[1]]
  return Object.assign(made, named)
}

/** `now` gives the time of strftime_now. */
export function makeGlobals(now: () => Date = () => new Date()): Record<string, Callable> {
  return {
    range,
    dict,
    namespace: (args, named) => new Namespace(new Map(Object.entries(dict(args, named)))),
    raise_exception: ([message]) => {
      throw new TemplateFault(toText(message), 0, true)
    },
    strftime_now: ([format]) => strftime(toText(format), now()),
    joiner: ([separator = ', ']) => {
      let used = false
      return () => {
        if (used) return separator
        used = true
        return ''
      }
    },
  }
}
