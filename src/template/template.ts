// Seam: chat messages to the prompt text of one model family.

export interface ChatTemplate {
  /** Renders as transformers' apply_chat_template does. Throws AppError `invalid_template` with the template's own words (raise_exception). */
  render(input: TemplateInput): string
  /** sha256 of the template's source, 12 hex digits: for logs. */
  readonly id: string
}

export interface TemplateInput {
  messages: readonly Record<string, unknown>[]
  tools?: readonly unknown[] | undefined
  addGenerationPrompt: boolean
  /** Continue the last assistant message instead of opening a new one. */
  continueFinalMessage?: boolean
  /** What a picture is called among texts, for a template that knows texts alone; absent: such a template gets the texts only. */
  pictureMark?: string
  /** `chat_template_kwargs` of the request (enable_thinking, …). */
  variables?: Record<string, unknown>
}
