// Expressions compiled to closures over a frame: parsed once, then a render is only calls. test/template holds them against Python's jinja2.
import { attribute, item } from './access.ts'
import { TemplateFault } from './fault.ts'
import { checks } from './library/checks.ts'
import { escapeHtml, type Filter } from './library/filters.ts'
import { filterNamed } from './library/filters-list.ts'
import { methodOf } from './library/methods.ts'
import { compare, compute, slice } from './operators.ts'
import type { Args, Expr } from './parse/ast.ts'
import { type Frame, reader, type Scope } from './scope.ts'
import { type Dict, isDict, isNumber, iterate, type Named, numeric, PyFloat, toText, truthy, tuple, typeName } from './values.ts'

export type Eval = (frame: Frame) => unknown

const noArgs: unknown[] = []
Object.freeze(noArgs)

/** The closure of an expression in its scope. Unknown filters and tests throw a TemplateFault here, not at render time. */
export function compileExpr(expr: Expr, scope: Scope): Eval {
  switch (expr.t) {
    case 'const': {
      const { value } = expr
      return () => value
    }
    case 'name':
      return reader(scope, expr.name)
    case 'attr':
      return compileAttribute(expr, scope)
    case 'item':
      return compileItem(expr, scope)
    case 'slice': {
      const of = compileExpr(expr.of, scope)
      const [start, stop, step] = [expr.start, expr.stop, expr.step].map((bound) =>
        bound === null ? () => null : compileExpr(bound, scope),
      )
      return (f) => {
        const value = of(f)
        if (value === undefined) throw missing(expr.of, scope, f)
        return slice(value, start!(f), stop!(f), step!(f))
      }
    }
    case 'call':
      return compileCall(expr, scope)
    case 'filter':
      return compileFilter(expr, scope, expr.of === null ? null : compileExpr(expr.of, scope))
    case 'test':
      return compileTest(expr, scope)
    case 'not': {
      const of = compileExpr(expr.of, scope)
      return (f) => !truthy(of(f))
    }
    case 'neg':
    case 'pos':
      return compileSign(expr, scope)
    case 'and': {
      const [left, right] = [compileExpr(expr.left, scope), compileExpr(expr.right, scope)]
      return (f) => {
        const value = left(f)
        return truthy(value) ? right(f) : value
      }
    }
    case 'or': {
      const [left, right] = [compileExpr(expr.left, scope), compileExpr(expr.right, scope)]
      return (f) => {
        const value = left(f)
        return truthy(value) ? value : right(f)
      }
    }
    case 'compare':
      return compileCompare(expr, scope)
    case 'math':
      return compileMath(expr, scope)
    case 'concat': {
      const parts = expr.parts.map((part) => compileExpr(part, scope))
      return (f) => {
        let text = ''
        for (const part of parts) text += toText(part(f))
        return text
      }
    }
    case 'cond': {
      scope.conditions++
      const [test, then] = [compileExpr(expr.test, scope), compileExpr(expr.then, scope)]
      const otherwise = expr.otherwise === null ? () => undefined : compileExpr(expr.otherwise, scope)
      scope.conditions--
      return (f) => (truthy(test(f)) ? then(f) : otherwise(f))
    }
    case 'list': {
      const items = expr.items.map((x) => compileExpr(x, scope))
      return (f) => items.map((x) => x(f))
    }
    case 'tuple': {
      const items = expr.items.map((x) => compileExpr(x, scope))
      return (f) => tuple(items.map((x) => x(f)))
    }
    case 'dict': {
      const pairs = expr.pairs.map(({ key, value }) => [compileExpr(key, scope), compileExpr(value, scope)] as const)
      const onlyText = expr.pairs.every(({ key }) => key.t === 'const' && typeof key.value === 'string')
      if (!onlyText) return (f) => new Map(pairs.map(([key, value]) => [key(f), value(f)]))
      return (f) => {
        const dict: Dict = {}
        for (const [key, value] of pairs) dict[toText(key(f))] = value(f)
        return dict
      }
    }
  }
}

/** The error of using what is not there, in Jinja's words. */
function missing(expr: Expr, scope: Scope, frame: Frame): TemplateFault {
  if (expr.t === 'name') return new TemplateFault(`'${expr.name}' is undefined`, expr.line)
  if (expr.t !== 'attr' && expr.t !== 'item') return new TemplateFault('the value is undefined', expr.line)
  const owner = compileExpr(expr.of, scope)(frame)
  const key = expr.t === 'attr' ? expr.name : compileExpr(expr.key, scope)(frame)
  if (typeof key !== 'string') return new TemplateFault(`${typeName(owner)} object has no element ${toText(key)}`, expr.line)
  const name = owner === null ? 'None' : `${typeName(owner)} object`
  return new TemplateFault(`'${name}' has no attribute '${key}'`, expr.line)
}

function compileAttribute(expr: Expr & { t: 'attr' }, scope: Scope): Eval {
  const of = compileExpr(expr.of, scope)
  const { name } = expr
  // A method's name on a dict gives the method, also when the dict has such a key.
  const plain = methodOf({}, name) === undefined
  return (f) => {
    const value = of(f)
    if (plain && isDict(value)) return Object.hasOwn(value, name) ? value[name] : undefined
    if (value === undefined) throw missing(expr.of, scope, f)
    return attribute(value, name)
  }
}

function compileItem(expr: Expr & { t: 'item' }, scope: Scope): Eval {
  const of = compileExpr(expr.of, scope)
  const key = compileExpr(expr.key, scope)
  const fixed = expr.key.t === 'const' && typeof expr.key.value === 'string' ? expr.key.value : undefined
  return (f) => {
    const value = of(f)
    if (fixed !== undefined && isDict(value) && Object.hasOwn(value, fixed)) return value[fixed]
    if (value === undefined) throw missing(expr.of, scope, f)
    return item(value, fixed ?? key(f))
  }
}

interface ArgReader {
  positional: (frame: Frame) => unknown[]
  named: (frame: Frame) => Named
}

export function compileArgs(args: Args, scope: Scope): ArgReader {
  const values = args.positional.map((value) => compileExpr(value, scope))
  const names = args.named.map(({ name, value }) => [name, compileExpr(value, scope)] as const)
  const spread = args.spread && compileExpr(args.spread, scope)
  const namedSpread = args.namedSpread && compileExpr(args.namedSpread, scope)
  return {
    positional:
      values.length === 0 && !spread
        ? () => noArgs
        : (f) => {
            const list = values.map((value) => value(f))
            if (spread) list.push(...iterate(spread(f)))
            return list
          },
    named:
      names.length === 0 && !namedSpread
        ? () => null
        : (f) => {
            const named: Dict = {}
            for (const [name, value] of names) named[name] = value(f)
            return namedSpread ? Object.assign(named, namedSpread(f)) : named
          },
  }
}

function compileCall(expr: Expr & { t: 'call' }, scope: Scope): Eval {
  const args = compileArgs(expr.args, scope)
  const callee = compileExpr(expr.of, scope)
  return (f) => {
    const target = callee(f)
    if (target === undefined) throw missing(expr.of, scope, f)
    if (typeof target !== 'function') throw new TemplateFault(`'${typeName(target)}' object is not callable`, expr.line)
    return target(args.positional(f), args.named(f))
  }
}

/** An unknown filter or test: refused at once, or when it is reached if it stands under a condition (as in Jinja, where a test may guard it). */
function unknown(message: string, line: number, scope: Scope): Eval {
  const fault = () => new TemplateFault(message, line)
  if (scope.conditions === 0) throw fault()
  return () => {
    throw fault()
  }
}

/** A filter on `input`; null stands for the text of a filter block, handed over in `frame.block`. */
function compileFilter(expr: Expr & { t: 'filter' }, scope: Scope, input: Eval | null): Eval {
  const filter: Filter | undefined = filterNamed(expr.name)
  if (filter === undefined) return unknown(`No filter named '${expr.name}'.`, expr.line, scope)
  const args = compileArgs(expr.args, scope)
  const of = input ?? blockText
  if (expr.args.positional.length + expr.args.named.length === 0 && !expr.args.spread && !expr.args.namedSpread)
    return (f) => filter(of(f), noArgs, null)
  return (f) => filter(of(f), args.positional(f), args.named(f))
}

let block = ''
const blockText = () => block

/** Runs a filter block's chain over its text. */
export function filterText(chain: Eval, frame: Frame, text: string): string {
  block = text
  return toText(chain(frame))
}

function compileTest(expr: Expr & { t: 'test' }, scope: Scope): Eval {
  const of = compileExpr(expr.of, scope)
  const { name } = expr
  if (name === 'defined') return (f) => of(f) !== undefined
  if (name === 'string') return (f) => typeof of(f) === 'string'
  if (name === 'none') return (f) => of(f) === null
  const args = compileArgs(expr.args, scope)
  if (name === 'filter' || name === 'test') {
    return (f) => (name === 'test' ? Object.hasOwn(checks, toText(of(f))) : filterNamed(toText(of(f))) !== undefined)
  }
  if (!Object.hasOwn(checks, name)) return unknown(`No test named '${name}'.`, expr.line, scope)
  const check = checks[name]!
  return (f) => check(of(f), args.positional(f))
}

function compileSign(expr: Expr & { t: 'neg' | 'pos' }, scope: Scope): Eval {
  const of = compileExpr(expr.of, scope)
  const sign = expr.t === 'neg' ? -1 : 1
  return (f) => {
    const value = of(f)
    if (value === undefined) throw missing(expr.of, scope, f)
    if (!isNumber(value)) throw new TemplateFault(`bad operand type for unary ${sign < 0 ? '-' : '+'}: '${typeName(value)}'`, expr.line)
    return value instanceof PyFloat ? new PyFloat(sign * value.value) : sign * numeric(value)
  }
}

function compileCompare(expr: Expr & { t: 'compare' }, scope: Scope): Eval {
  const first = compileExpr(expr.first, scope)
  const rest = expr.rest.map(({ op, value }) => ({ op, value: compileExpr(value, scope), of: value }))
  const [only] = rest
  const ordered = (op: string) => op[0] === '<' || op[0] === '>'
  const step = (op: (typeof rest)[number]['op'], a: unknown, b: unknown, left: Expr, right: Expr, f: Frame) => {
    if (ordered(op) && (a === undefined || b === undefined)) throw missing(a === undefined ? left : right, scope, f)
    return compare(op, a, b)
  }
  if (rest.length === 1 && only!.op === '==') {
    const { value } = only!
    return (f) => compare('==', first(f), value(f))
  }
  if (rest.length === 1) return (f) => step(only!.op, first(f), only!.value(f), expr.first, only!.of, f)
  return (f) => {
    let left = first(f)
    let leftOf = expr.first
    for (const { op, value, of } of rest) {
      const right = value(f)
      if (!step(op, left, right, leftOf, of, f)) return false
      left = right
      leftOf = of
    }
    return true
  }
}

/** True for text that `safe` or `escape` marked: Python then escapes what is added to it. */
function isMarkup(expr: Expr): boolean {
  if (expr.t === 'math') return expr.op === '+' && (isMarkup(expr.left) || isMarkup(expr.right))
  return expr.t === 'filter' && ['safe', 'escape', 'e'].includes(expr.name)
}

function compileMath(expr: Expr & { t: 'math' }, scope: Scope): Eval {
  const [left, right] = [compileExpr(expr.left, scope), compileExpr(expr.right, scope)]
  const { op } = expr
  const marks = [isMarkup(expr.left), isMarkup(expr.right)]
  if (op === '+' && marks[0] !== marks[1]) {
    const [a, b] = [left, right].map((side, i) => (marks[i] ? side : (f: Frame) => escapeHtml(side(f))))
    return (f) => compute('+', a!(f), b!(f))
  }
  return (f) => {
    const a = left(f)
    const b = right(f)
    if (op === '+' && typeof a === 'string' && typeof b === 'string') return a + b
    if (a === undefined) throw missing(expr.left, scope, f)
    if (b === undefined) throw missing(expr.right, scope, f)
    return compute(op, a, b)
  }
}
