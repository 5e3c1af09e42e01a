// Macros and call blocks: functions whose value is the text that their body writes.

import { compileArgs, compileExpr, type Eval } from './evaluate.ts'
import { TemplateFault } from './fault.ts'
import type { CompileInner, Out } from './flow.ts'
import type { Expr, Param, Stmt } from './parse/ast.ts'
import { declare, type Frame, makeScope, type Scope } from './scope.ts'
import { type Callable, tuple, typeName } from './values.ts'

export interface MacroSource {
  name: string
  params: readonly Param[]
  body: readonly Stmt[]
}

/** A maker of the macro for one frame of the scope around it. Extra arguments go to `varargs` and `kwargs` if the body reads these. */
export function compileMacro(macro: MacroSource, scope: Scope, compileInner: CompileInner): (frame: Frame) => Callable {
  const { name, params, body } = macro
  const own = makeScope(scope, 0)
  const slots = params.map((param) => declare(own, param.name))
  const special = { caller: declare(own, 'caller'), varargs: declare(own, 'varargs'), kwargs: declare(own, 'kwargs') }
  const fallbacks = params.map(({ fallback }) => fallback && compileExpr(fallback, own))
  const inner = compileInner(body, own)
  const takesMore = own.used.has('varargs')
  const takesNamed = own.used.has('kwargs')
  return (frame) => (args, named) => {
    const f = inner.enter(frame)
    const rest = { ...named }
    for (const [i, param] of params.entries()) {
      if (i < args.length) f[slots[i]!] = args[i]
      else if (Object.hasOwn(rest, param.name)) f[slots[i]!] = rest[param.name]
      else f[slots[i]!] = fallbacks[i]?.(f)
      delete rest[param.name]
    }
    if (!params.some((param) => param.name === 'caller')) f[special.caller] = rest.caller
    delete rest.caller
    f[special.varargs] = tuple(args.slice(params.length))
    f[special.kwargs] = rest
    if (args.length > params.length && !takesMore)
      throw new TemplateFault(`macro '${name}' takes not more than ${params.length} argument(s)`)
    const [unknown] = Object.keys(rest)
    if (unknown !== undefined && !takesNamed) throw new TemplateFault(`macro '${name}' takes no keyword argument '${unknown}'`)
    const out: Out = { text: '' }
    inner.run(f, out)
    return out.text
  }
}

/** `{% call(…) name(…) %}body{% endcall %}`: the call's value, with the body as its `caller`. */
export function compileCallBlock(stmt: Stmt & { t: 'callblock' }, scope: Scope, compileInner: CompileInner): Eval {
  const call = stmt.call as Expr & { t: 'call' }
  const callee = compileExpr(call.of, scope)
  const args = compileArgs(call.args, scope)
  const caller = compileMacro({ name: 'caller', params: stmt.params, body: stmt.body }, scope, compileInner)
  return (f) => {
    const target = callee(f)
    if (typeof target !== 'function') throw new TemplateFault(`'${typeName(target)}' object is not callable`, stmt.line)
    return target(args.positional(f), { ...args.named(f), caller: caller(f) })
  }
}
