// What two ZMTP 3.1 peers say before the first message: the 64-byte greeting (NULL mechanism) and the READY command (rfc.zeromq.org/spec/37).

export type SocketType = 'PUSH' | 'PULL' | 'PUB' | 'SUB' | 'DEALER' | 'ROUTER'

/** Which types may talk to which. */
const partners: Record<SocketType, readonly string[]> = {
  PUSH: ['PULL'],
  PULL: ['PUSH'],
  PUB: ['SUB', 'XSUB'],
  SUB: ['PUB', 'XPUB'],
  DEALER: ['ROUTER', 'DEALER', 'REP'],
  ROUTER: ['DEALER', 'ROUTER', 'REQ'],
}

export const greetingBytes = 64
const flagLong = 2
const flagCommand = 4
const encoder = new TextEncoder()
const decoder = new TextDecoder()

export class ZmtpError extends Error {
  override readonly name = 'ZmtpError'
}

/** Our side of the greeting: signature, version 3.1, mechanism NULL, as-server 0. */
export function encodeGreeting(): Uint8Array {
  const bytes = new Uint8Array(greetingBytes)
  bytes[0] = 0xff
  bytes[9] = 0x7f
  bytes[10] = 3
  bytes[11] = 1
  bytes.set(encoder.encode('NULL'), 12)
  return bytes
}

/** Throws ZmtpError unless the peer speaks ZMTP 3 with NULL. */
export function checkGreeting(bytes: Uint8Array): void {
  if (bytes[0] !== 0xff || bytes[9] !== 0x7f) throw new ZmtpError('the peer does not speak ZMTP')
  if (bytes[10]! < 3) throw new ZmtpError(`the peer speaks ZMTP ${bytes[10]}, needed is 3`)
  const mechanism = decoder.decode(bytes.subarray(12, 32)).replace(/\0+$/, '')
  if (mechanism !== 'NULL') throw new ZmtpError(`the peer wants the mechanism ${mechanism}, only NULL is spoken here`)
}

/** A whole command frame: flags, size, name, body. */
export function encodeCommand(name: string, body: Uint8Array): Uint8Array {
  const size = 1 + name.length + body.length
  const head = size < 256 ? 2 : 9
  const frame = new Uint8Array(head + size)
  if (head === 2) {
    frame[0] = flagCommand
    frame[1] = size
  } else {
    frame[0] = flagCommand | flagLong
    new DataView(frame.buffer).setBigUint64(1, BigInt(size))
  }
  frame[head] = name.length
  frame.set(encoder.encode(name), head + 1)
  frame.set(body, head + 1 + name.length)
  return frame
}

/** Body of a READY command: our socket type and identity. */
export function encodeReady(type: SocketType, identity: Uint8Array): Uint8Array {
  const properties: [string, Uint8Array][] = [
    ['Socket-Type', encoder.encode(type)],
    ['Identity', identity],
  ]
  const body = new Uint8Array(properties.reduce((sum, [key, value]) => sum + 5 + key.length + value.length, 0))
  const view = new DataView(body.buffer)
  let at = 0
  for (const [key, value] of properties) {
    body[at] = key.length
    body.set(encoder.encode(key), at + 1)
    view.setUint32(at + 1 + key.length, value.length)
    body.set(value, at + 5 + key.length)
    at += 5 + key.length + value.length
  }
  return encodeCommand('READY', body)
}

/** Reads the peer's READY and checks that its type may talk to ours. Returns its identity (empty when it gave none). */
export function readReady(body: Uint8Array, ours: SocketType): Uint8Array {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength)
  let type = ''
  let identity: Uint8Array = new Uint8Array(0)
  for (let at = 0; at < body.length; ) {
    const valueAt = at + 5 + body[at]!
    if (valueAt > body.length) throw new ZmtpError('READY is cut short')
    const key = decoder.decode(body.subarray(at + 1, valueAt - 4)).toLowerCase()
    const size = view.getUint32(valueAt - 4)
    if (valueAt + size > body.length) throw new ZmtpError('READY is cut short')
    const value = body.slice(valueAt, valueAt + size)
    if (key === 'socket-type') type = decoder.decode(value)
    else if (key === 'identity') identity = value
    at = valueAt + size
  }
  if (!partners[ours].includes(type)) throw new ZmtpError(`a ${type} socket cannot talk to our ${ours}`)
  return identity
}
