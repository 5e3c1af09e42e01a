// What Bun's S3 client rejects with, and what that means: in words, and for the file.

/** The answer for an object that does not exist. */
export function wasNotThere(thrown: unknown): boolean {
  const code = codeOf(thrown)
  return code === 'NoSuchKey' || code === 'NotFound' || code === 'UnknownError404'
}

const refused: ReadonlySet<string> = new Set([
  'NoSuchBucket',
  'AccessDenied',
  'InvalidAccessKeyId',
  'SignatureDoesNotMatch',
  'ERR_S3_MISSING_CREDENTIALS',
])

/** Whether a put that failed so may have been kept all the same. Bun sends one again when its connection broke: nobody may answer then who did before. */
export function mayBeThere(thrown: unknown): boolean {
  return !refused.has(codeOf(thrown))
}

function codeOf(thrown: unknown): string {
  return (thrown as { code?: string } | null)?.code ?? ''
}

const reasons: Readonly<Record<string, string>> = {
  NoSuchBucket: 'there is no such bucket',
  AccessDenied: 'the keys do not allow it',
  InvalidAccessKeyId: 'the access key is not known there',
  SignatureDoesNotMatch: 'the secret key is wrong',
  ERR_S3_MISSING_CREDENTIALS: 'there are no keys (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY)',
  ConnectionRefused: 'nobody answers there',
  FailedToOpenSocket: 'nobody answers there',
  DNSResolveFailed: 'there is no host of that name',
  TLSHandshakeFailed: 'what answers there does not speak TLS',
  InvalidResponse: 'what answers there is no S3 server',
}

/** For clients: without a word of the server's. */
export function reasonOf(thrown: unknown): string {
  return known(thrown) ?? 'the server log has the cause'
}

/** Of the first list, which asks for no key; only the operator reads it, so what is not known is told in the server's own words. */
export function reasonAtStart(thrown: unknown): string {
  const code = codeOf(thrown)
  // A 404 that is not S3's.
  if (code === 'NoSuchKey') return reasons.InvalidResponse!
  const said = thrown instanceof Error ? thrown.message.replaceAll(/\s+/g, ' ').trim() : String(thrown)
  return known(thrown) ?? [code, said.slice(0, 200)].filter(Boolean).join(': ')
}

function known(thrown: unknown): string | undefined {
  if (thrown instanceof Error && thrown.message.startsWith('no answer')) return 'it did not answer in time'
  return reasons[codeOf(thrown)]
}
