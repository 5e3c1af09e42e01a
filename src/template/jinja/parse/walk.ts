// A parsed template as a flat list: every statement, outer ones first, with the expressions that stand in it.
import type { Args, Expr, Stmt } from './ast.ts'

export interface Seen {
  stmt: Stmt
  /** Of the statement itself, not of its bodies; nested expressions included. */
  exprs: Expr[]
}

export function flatten(body: readonly Stmt[], into: Seen[] = []): Seen[] {
  for (const stmt of body) {
    const exprs: Expr[] = []
    for (const expr of topLevel(stmt)) collect(expr, exprs)
    into.push({ stmt, exprs })
    if (stmt.t === 'if') for (const branch of stmt.branches) flatten(branch.body, into)
    if ('body' in stmt) flatten(stmt.body, into)
    if ('otherwise' in stmt) flatten(stmt.otherwise, into)
  }
  return into
}

function topLevel(stmt: Stmt): Expr[] {
  switch (stmt.t) {
    case 'print':
    case 'set':
      return [stmt.value]
    case 'if':
      return stmt.branches.map((branch) => branch.test)
    case 'for':
      return stmt.test ? [stmt.iter, stmt.test] : [stmt.iter]
    case 'callblock':
      return [stmt.call, ...stmt.params.flatMap(({ fallback }) => fallback ?? [])]
    case 'macro':
      return stmt.params.flatMap(({ fallback }) => fallback ?? [])
    case 'filterblock':
    case 'capture':
      return stmt.chain ? [stmt.chain] : []
    case 'with':
      return stmt.targets.map(({ value }) => value)
    default:
      return []
  }
}

function collect(expr: Expr, into: Expr[]): void {
  into.push(expr)
  for (const child of below(expr)) if (child !== null) collect(child, into)
}

function below(expr: Expr): (Expr | null)[] {
  switch (expr.t) {
    case 'const':
    case 'name':
      return []
    case 'item':
      return [expr.of, expr.key]
    case 'slice':
      return [expr.of, expr.start, expr.stop, expr.step]
    case 'call':
    case 'test':
    case 'filter':
      return [expr.of, ...ofArgs(expr.args)]
    case 'and':
    case 'or':
    case 'math':
      return [expr.left, expr.right]
    case 'compare':
      return [expr.first, ...expr.rest.map((step) => step.value)]
    case 'concat':
      return expr.parts
    case 'cond':
      return [expr.test, expr.then, expr.otherwise]
    case 'list':
    case 'tuple':
      return expr.items
    case 'dict':
      return expr.pairs.flatMap(({ key, value }) => [key, value])
    default:
      return [expr.of]
  }
}

const ofArgs = (args: Args): (Expr | null)[] => [...args.positional, ...args.named.map(({ value }) => value), args.spread, args.namedSpread]
