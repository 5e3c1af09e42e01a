// How compiled statements run: they write into an output and tell the loop around them what to do next.
import type { Stmt } from './parse/ast.ts'
import type { Frame, Scope } from './scope.ts'

export interface Out {
  text: string
}

export const flow = { next: 0, break: 1, continue: 2 } as const
export type Flow = (typeof flow)[keyof typeof flow]
export type Run = (frame: Frame, out: Out) => Flow

/** A body with a scope of its own: `enter` makes the frame, in which names that the body assigns start with what they are outside. */
export interface Inner {
  run: Run
  enter: (parent: Frame) => Frame
}
export type CompileInner = (body: readonly Stmt[], scope: Scope) => Inner
