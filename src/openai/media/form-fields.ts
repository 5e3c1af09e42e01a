// What a multipart body holds. The HTTP layer reads it (serve/http/form.ts); handlers find it where JSON would be: `call.body`.

/** A class, so that no JSON body can look like one. */
export class FormFields {
  /** In the order they came; a name may come often (`image[]`). */
  readonly parts: readonly FormPart[]

  constructor(parts: readonly FormPart[]) {
    this.parts = parts
  }
}

/** `file` absent: a text field. */
export type FormPart = { name: string; text: string } | { name: string; file: FormFile }

export interface FormFile {
  bytes: Uint8Array
  /** As the client says; never part of a path. */
  fileName: string
  /** As the client says; '' when it says nothing. */
  contentType: string
}
