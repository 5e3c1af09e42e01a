// Random names for requests and answers.

/** 32 hexadecimal digits, different each time. */
export function newId(): string {
  return crypto.randomUUID().replaceAll('-', '')
}
