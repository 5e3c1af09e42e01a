// The greeting of the request plane: both sides say who they are and, when a secret is set, prove that they know it without sending it.
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { AppError } from '../../lib/errors.ts'

/** The stream field of `hello`: "DSRP". */
export const magic = 0x50525344
const version = 1
const nonceBytes = 16
const secretFlag = 1
const partsFlag = 2
const text = new TextDecoder()

export type Role = 'client' | 'server'

export interface Hello {
  readonly nonce: Uint8Array
  readonly withSecret: boolean
  /** It takes heads in parts; older ones do not. */
  readonly takesParts: boolean
  /** Of a client: which server it means, '' for any; of a server: which it is. */
  readonly instance: string
}

export function newHello(secret: string | undefined, instance: string): Hello {
  return { nonce: randomBytes(nonceBytes), withSecret: secret !== undefined, takesParts: true, instance }
}

/** version, flags, nonce, instance. */
export function encodeHello(hello: Hello): Uint8Array {
  const flags = (hello.withSecret ? secretFlag : 0) | (hello.takesParts ? partsFlag : 0)
  return Buffer.concat([Uint8Array.of(version, flags), hello.nonce, Buffer.from(hello.instance)])
}

/** Throws AppError `engine_unavailable` on another version or another secret setting, saying which. */
export function readHello(payload: Uint8Array, secret: string | undefined): Hello {
  if (payload.length < 2 + nonceBytes || payload[0] !== version)
    throw refusal(`the other side speaks version ${payload[0]} of the request plane, this one ${version}`)
  const withSecret = (payload[1]! & secretFlag) !== 0
  const takesParts = (payload[1]! & partsFlag) !== 0
  if (withSecret !== (secret !== undefined)) throw refusal('one side has a shared secret for the request plane, the other has none')
  return { nonce: payload.slice(2, 2 + nonceBytes), withSecret, takesParts, instance: text.decode(payload.subarray(2 + nonceBytes)) }
}

/** What `role` sends to show that it knows the secret; empty without one. */
export function proofOf(role: Role, secret: string | undefined, client: Hello, server: Hello): Uint8Array {
  if (secret === undefined) return new Uint8Array(0)
  return createHmac('sha256', secret).update(role).update(client.nonce).update(server.nonce).update(client.instance).digest()
}

/** Throws AppError `engine_unavailable` when the proof is another one; takes the same time wherever they differ. */
export function checkProof(given: Uint8Array, wanted: Uint8Array): void {
  if (given.length !== wanted.length || !timingSafeEqual(given, wanted))
    throw refusal('the shared secret of the request plane is not the same on both sides')
}

export function refusal(message: string): AppError {
  return new AppError('engine_unavailable', { message: `No connection to the worker: ${message}.`, retryAfterSecs: 1 })
}
