// Statements compiled to closures that write into an output; a whole template becomes one function of its inputs.

import { compileExpr, type Eval, filterText } from './evaluate.ts'
import { TemplateFault } from './fault.ts'
import { flow, type Inner, type Out, type Run } from './flow.ts'
import { Loop } from './loop.ts'
import { compileCallBlock, compileMacro } from './macro.ts'
import type { Stmt, Target } from './parse/ast.ts'
import { parseTemplate } from './parse/statements.ts'
import { assignedNames, declare, type Frame, makeFrame, makeScope, reader, resolve, type Scope, targetNames } from './scope.ts'
import { iterate, Namespace, toText, truthy } from './values.ts'

export interface Compiled {
  readonly body: readonly Stmt[]
  /** `inputs` hide `globals` of the same name. Throws TemplateFault with the line where it can be told. */
  render(inputs: Record<string, unknown>, globals: Record<string, unknown>): string
}

/** The line of the statement that runs, for errors of expressions that do not know theirs. Rendering is synchronous. */
let currentLine = 0

/** Parses and compiles once; render as often as wanted. Throws TemplateFault with the line. */
export function compileTemplate(source: string): Compiled {
  const body = parseTemplate(source)
  const scope = makeScope(null)
  const run = compileBody(body, scope)
  const names = [...scope.slots]
  return {
    body,
    render(inputs, globals) {
      const frame = makeFrame(scope, null)
      for (const [name, slot] of names)
        frame[slot] = Object.hasOwn(inputs, name) ? inputs[name] : Object.hasOwn(globals, name) ? globals[name] : undefined
      const out: Out = { text: '' }
      try {
        run(frame, out)
      } catch (error) {
        if (error instanceof TemplateFault) error.line ||= currentLine
        if (error instanceof RangeError) throw new TemplateFault('the template recurses too deeply or makes too long a text', currentLine)
        throw error
      }
      return out.text
    },
  }
}

function compileBody(body: readonly Stmt[], scope: Scope): Run {
  const runs = body.map((stmt) => compileStmt(stmt, scope))
  if (runs.length === 1) return runs[0]!
  return (f, out) => {
    for (let i = 0; i < runs.length; i++) {
      const signal = runs[i]!(f, out)
      if (signal !== flow.next) return signal
    }
    return flow.next
  }
}

/** A body in a scope of its own: names that it assigns start with what they are outside. `bind` fills further slots. */
function compileInner(body: readonly Stmt[], scope: Scope): Inner {
  const inherited: { slot: number; read: Eval }[] = []
  for (const name of assignedNames(body))
    if (!scope.slots.has(name)) inherited.push({ read: reader(scope.parent!, name), slot: declare(scope, name) })
  const run = compileBody(body, scope)
  const enter = (parent: Frame) => {
    const frame = makeFrame(scope, parent)
    for (const { slot, read } of inherited) frame[slot] = read(parent)
    return frame
  }
  return { run, enter }
}

function compileStmt(stmt: Stmt, scope: Scope): Run {
  const { line } = stmt
  switch (stmt.t) {
    case 'data': {
      const { text } = stmt
      return (_, out) => {
        out.text += text
        return flow.next
      }
    }
    case 'print': {
      const value = compileExpr(stmt.value, scope)
      return (f, out) => {
        currentLine = line
        const shown = value(f)
        out.text += typeof shown === 'string' ? shown : toText(shown)
        return flow.next
      }
    }
    case 'if':
      return compileIf(stmt, scope)
    case 'for':
      return compileFor(stmt, scope)
    case 'set': {
      const value = compileExpr(stmt.value, scope)
      const assign = compileTarget(stmt.target, scope)
      return (f) => {
        currentLine = line
        assign(f, value(f))
        return flow.next
      }
    }
    case 'capture':
    case 'filterblock': {
      const inner = compileInner(stmt.body, makeScope(scope))
      const chain = stmt.chain && compileExpr(stmt.chain, scope)
      const assign = stmt.t === 'capture' ? compileTarget(stmt.target, scope) : null
      return (f, out) => {
        const caught: Out = { text: '' }
        inner.run(inner.enter(f), caught)
        const text = chain ? filterText(chain, f, caught.text) : caught.text
        if (assign) assign(f, text)
        else out.text += text
        return flow.next
      }
    }
    case 'with': {
      const own = makeScope(scope)
      const values = stmt.targets.map(({ value }) => compileExpr(value, scope))
      for (const { target } of stmt.targets) for (const name of targetNames(target)) declare(own, name)
      const assigns = stmt.targets.map(({ target }) => compileTarget(target, own))
      const inner = compileInner(stmt.body, own)
      return (f, out) => {
        const frame = inner.enter(f)
        for (const [i, assign] of assigns.entries()) assign(frame, values[i]!(f))
        return inner.run(frame, out)
      }
    }
    case 'macro': {
      const { slot } = resolve(scope, stmt.name)
      const make = compileMacro(stmt, scope, compileInner)
      return (f) => {
        f[slot] = make(f)
        return flow.next
      }
    }
    case 'callblock': {
      const call = compileCallBlock(stmt, scope, compileInner)
      return (f, out) => {
        currentLine = line
        out.text += toText(call(f))
        return flow.next
      }
    }
    case 'break':
    case 'continue': {
      if (scope.loopDepth === 0) throw new TemplateFault(`'${stmt.t}' outside of a loop`, line)
      const signal = flow[stmt.t]
      return () => signal
    }
  }
}

function compileIf(stmt: Stmt & { t: 'if' }, scope: Scope): Run {
  scope.conditions++
  const branches = stmt.branches.map(({ test, body }) => ({ test: compileExpr(test, scope), run: compileBody(body, scope) }))
  const otherwise = compileBody(stmt.otherwise, scope)
  scope.conditions--
  const { line } = stmt
  return (f, out) => {
    currentLine = line
    for (let i = 0; i < branches.length; i++) {
      const branch = branches[i]!
      if (truthy(branch.test(f))) return branch.run(f, out)
    }
    return otherwise(f, out)
  }
}

function compileTarget(target: Target, scope: Scope): (frame: Frame, value: unknown) => void {
  if (target.t === 'name') {
    const slot = declare(scope, target.name)
    return (f, value) => {
      f[slot] = value
    }
  }
  if (target.t === 'field') {
    const read = reader(scope, target.name)
    return (f, value) => {
      const space = read(f)
      if (!(space instanceof Namespace)) throw new TemplateFault('cannot assign attribute on non-namespace object', target.line)
      space.fields.set(target.attr, value)
    }
  }
  const parts = target.items.map((part) => compileTarget(part, scope))
  return (f, value) => {
    const values = iterate(value)
    if (values.length < parts.length)
      throw new TemplateFault(`not enough values to unpack (expected ${parts.length}, got ${values.length})`, target.line)
    if (values.length > parts.length) throw new TemplateFault(`too many values to unpack (expected ${parts.length})`, target.line)
    for (let i = 0; i < parts.length; i++) parts[i]!(f, values[i])
  }
}

function compileFor(stmt: Stmt & { t: 'for' }, scope: Scope): Run {
  const iter = compileExpr(stmt.iter, scope)
  const own = makeScope(scope, scope.loopDepth + 1)
  const loopSlot = declare(own, 'loop')
  for (const name of targetNames(stmt.target)) declare(own, name)
  const assign = compileTarget(stmt.target, own)
  const test = stmt.test && compileExpr(stmt.test, own)
  const inner = compileInner(stmt.body, own)
  const other = compileInner(stmt.otherwise, makeScope(scope))
  const { line } = stmt
  return (f, out) => {
    currentLine = line
    let items = iterate(iter(f))
    if (test)
      items = items.filter((x) => {
        const frame = makeFrame(own, f)
        assign(frame, x)
        return truthy(test(frame))
      })
    if (items.length === 0) return stmt.otherwise.length === 0 ? flow.next : other.run(other.enter(f), out)
    const loop = new Loop(items, own.loopDepth)
    for (let i = 0; i < items.length; i++) {
      loop.at = i
      const frame = inner.enter(f)
      frame[loopSlot] = loop
      assign(frame, items[i])
      if (inner.run(frame, out) === flow.break) break
    }
    return flow.next
  }
}
