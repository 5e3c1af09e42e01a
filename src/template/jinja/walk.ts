// Walks over a parsed template: every statement, and every expression of a statement.
import type { Args, Expr, Stmt } from './ast.ts'

/** All statements, outer ones first. */
export function* statementsOf(body: readonly Stmt[]): Generator<Stmt> {
  for (const stmt of body) {
    yield stmt
    if (stmt.t === 'if') for (const branch of stmt.branches) yield* statementsOf(branch.body)
    if ('body' in stmt) yield* statementsOf(stmt.body)
    if ('otherwise' in stmt) yield* statementsOf(stmt.otherwise)
  }
}

/** The expressions of one statement (not of its bodies), nested ones included. */
export function* childrenOf(stmt: Stmt): Generator<Expr> {
  if (stmt.t === 'print' || stmt.t === 'set') yield* nested(stmt.value)
  if (stmt.t === 'if') for (const branch of stmt.branches) yield* nested(branch.test)
  if (stmt.t === 'for') {
    yield* nested(stmt.iter)
    if (stmt.test) yield* nested(stmt.test)
  }
  if (stmt.t === 'callblock') yield* nested(stmt.call)
  if ((stmt.t === 'filterblock' || stmt.t === 'capture') && stmt.chain) yield* nested(stmt.chain)
  if (stmt.t === 'with') for (const { value } of stmt.targets) yield* nested(value)
  if (stmt.t === 'macro' || stmt.t === 'callblock') for (const { fallback } of stmt.params) if (fallback) yield* nested(fallback)
}

function* nested(expr: Expr): Generator<Expr> {
  yield expr
  for (const child of below(expr)) yield* nested(child)
}

function below(expr: Expr): Expr[] {
  switch (expr.t) {
    case 'const':
    case 'name':
      return []
    case 'item':
      return [expr.of, expr.key]
    case 'slice':
      return [expr.of, expr.start, expr.stop, expr.step].filter((x) => x !== null)
    case 'call':
    case 'test':
      return [expr.of, ...ofArgs(expr.args)]
    case 'filter':
      return expr.of === null ? ofArgs(expr.args) : [expr.of, ...ofArgs(expr.args)]
    case 'and':
    case 'or':
    case 'math':
      return [expr.left, expr.right]
    case 'compare':
      return [expr.first, ...expr.rest.map((step) => step.value)]
    case 'concat':
      return expr.parts
    case 'cond':
      return expr.otherwise ? [expr.test, expr.then, expr.otherwise] : [expr.test, expr.then]
    case 'list':
    case 'tuple':
      return expr.items
    case 'dict':
      return expr.pairs.flatMap(({ key, value }) => [key, value])
    default:
      return [expr.of]
  }
}

const ofArgs = (args: Args): Expr[] =>
  [...args.positional, ...args.named.map(({ value }) => value), args.spread, args.namedSpread].filter((x) => x !== null)
