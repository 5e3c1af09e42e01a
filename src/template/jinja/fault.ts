// What goes wrong inside a template: a fault with the line of the template, made into an AppError at the border (render.ts, load.ts).

/** A template that cannot be parsed, or an expression that fails while it renders. `line` is 1-based; 0: not known. */
export class TemplateFault extends Error {
  override readonly name = 'TemplateFault'
  line: number
  /** True when the template itself refused the request (raise_exception): its words go to the client unchanged. */
  readonly raised: boolean

  constructor(message: string, line = 0, raised = false) {
    super(message)
    this.line = line
    this.raised = raised
  }
}
