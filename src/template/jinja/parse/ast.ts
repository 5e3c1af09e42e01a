// The parsed form of a chat template: plain data, so that content.ts can look at what a template reads.

export interface Args {
  positional: Expr[]
  named: { name: string; value: Expr }[]
  /** `*expr` and `**expr`. */
  spread: Expr | null
  namedSpread: Expr | null
}

export type CompareOp = '==' | '!=' | '<' | '<=' | '>' | '>=' | 'in' | 'not in'
export type MathOp = '+' | '-' | '*' | '/' | '//' | '%' | '**'

export type Expr =
  | { t: 'const'; value: unknown; line: number }
  | { t: 'name'; name: string; line: number }
  | { t: 'attr'; of: Expr; name: string; line: number }
  | { t: 'item'; of: Expr; key: Expr; line: number }
  | { t: 'slice'; of: Expr; start: Expr | null; stop: Expr | null; step: Expr | null; line: number }
  | { t: 'call'; of: Expr; args: Args; line: number }
  /** `of` is null only at the head of a filter block's chain. */
  | { t: 'filter'; of: Expr | null; name: string; args: Args; line: number }
  | { t: 'test'; of: Expr; name: string; args: Args; line: number }
  | { t: 'not'; of: Expr; line: number }
  | { t: 'neg' | 'pos'; of: Expr; line: number }
  | { t: 'and' | 'or'; left: Expr; right: Expr; line: number }
  | { t: 'compare'; first: Expr; rest: { op: CompareOp; value: Expr }[]; line: number }
  | { t: 'math'; op: MathOp; left: Expr; right: Expr; line: number }
  | { t: 'concat'; parts: Expr[]; line: number }
  | { t: 'cond'; test: Expr; then: Expr; otherwise: Expr | null; line: number }
  | { t: 'list' | 'tuple'; items: Expr[]; line: number }
  | { t: 'dict'; pairs: { key: Expr; value: Expr }[]; line: number }

export type Target =
  | { t: 'name'; name: string; line: number }
  | { t: 'tuple'; items: Target[]; line: number }
  /** `ns.attr`: only a namespace() takes it. */
  | { t: 'field'; name: string; attr: string; line: number }

export interface Param {
  name: string
  fallback: Expr | null
}

export type Stmt =
  | { t: 'data'; text: string; line: number }
  | { t: 'print'; value: Expr; line: number }
  | { t: 'if'; branches: { test: Expr; body: Stmt[] }[]; otherwise: Stmt[]; line: number }
  | { t: 'for'; target: Target; iter: Expr; test: Expr | null; body: Stmt[]; otherwise: Stmt[]; line: number }
  | { t: 'set'; target: Target; value: Expr; line: number }
  | { t: 'capture'; target: Target; chain: Expr | null; body: Stmt[]; line: number }
  | { t: 'macro'; name: string; params: Param[]; body: Stmt[]; line: number }
  | { t: 'callblock'; params: Param[]; call: Expr; body: Stmt[]; line: number }
  | { t: 'filterblock'; chain: Expr; body: Stmt[]; line: number }
  | { t: 'with'; targets: { target: Target; value: Expr }[]; body: Stmt[]; line: number }
  | { t: 'break' | 'continue'; line: number }
