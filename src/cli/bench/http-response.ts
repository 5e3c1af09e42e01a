// Reads HTTP/1.1 responses off a byte stream: head, then a body by length, by chunks or until the end. No socket, no time; body bytes are
// handed on without a copy.

export interface ResponseHandler {
  head(status: number): void
  /** `bytes[start..end)` of the body; only valid during the call. */
  body(bytes: Buffer, start: number, end: number): void
  done(): void
}

type Part = 'head' | 'length' | 'size' | 'data' | 'data-end' | 'trailer' | 'until-close'

const headEnd = '\r\n\r\n'

export class HttpResponses {
  handler: ResponseHandler | undefined
  /** False once a response said `Connection: close`, or its end can only be told by the connection's. */
  reusable = true
  private part: Part = 'head'
  private left = 0
  private line = ''

  /** Feeds received bytes. Throws when they are no HTTP/1.1. */
  feed(bytes: Buffer): void {
    let at = 0
    while (at < bytes.length) {
      switch (this.part) {
        case 'head':
          at = this.readHead(bytes, at)
          break
        case 'length':
        case 'data':
        case 'until-close':
          at = this.readBody(bytes, at)
          break
        default:
          at = this.readLine(bytes, at)
      }
    }
  }

  /** The connection ended; true when that ended a body as it should. */
  end(): boolean {
    if (this.part !== 'until-close') return false
    this.finish()
    return true
  }

  private readHead(bytes: Buffer, at: number): number {
    const before = this.line.length
    this.line += bytes.toString('latin1', at)
    const end = this.line.indexOf(headEnd, Math.max(0, before - 3))
    if (end === -1) {
      if (this.line.length > 65_536) throw new Error('the head of the response is too long')
      return bytes.length
    }
    const next = at + end + headEnd.length - before
    const head = this.line.slice(0, end)
    this.line = ''
    this.startBody(head)
    return next
  }

  private startBody(head: string): void {
    const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(head)?.[1])
    if (Number.isNaN(status)) throw new Error('the answer is no HTTP/1.1')
    // 100 Continue and the like announce another head.
    if (status < 200) return
    if (/\r\nconnection: *close/i.test(head) || head.startsWith('HTTP/1.0')) this.reusable = false
    this.handler?.head(status)
    const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1]
    if (status === 204 || status === 304 || length === '0') this.finish()
    else if (/\r\ntransfer-encoding: *chunked/i.test(head)) this.part = 'size'
    else if (length !== undefined) this.expect('length', Number(length))
    else this.expect('until-close', Number.POSITIVE_INFINITY)
    if (this.part === 'until-close') this.reusable = false
  }

  private readBody(bytes: Buffer, at: number): number {
    const end = Math.min(bytes.length, at + this.left)
    this.left -= end - at
    const { part } = this
    this.handler?.body(bytes, at, end)
    if (this.left === 0) {
      if (part === 'length') this.finish()
      else this.part = 'data-end'
    }
    return end
  }

  /** Chunk sizes, the line ends after chunks, trailers: short, so they may be collected as text. */
  private readLine(bytes: Buffer, at: number): number {
    const end = bytes.indexOf(10, at)
    this.line += bytes.toString('latin1', at, end === -1 ? bytes.length : end)
    if (end === -1) return bytes.length
    const line = this.line.trim()
    this.line = ''
    if (this.part === 'data-end') this.part = 'size'
    else if (this.part === 'size') {
      const size = Number.parseInt(line, 16)
      if (Number.isNaN(size)) throw new Error(`'${line.slice(0, 20)}' is not the size of a chunk`)
      if (size === 0) this.part = 'trailer'
      else this.expect('data', size)
    } else if (line === '') this.finish()
    return end + 1
  }

  private expect(part: Part, bytes: number): void {
    this.part = part
    this.left = bytes
  }

  private finish(): void {
    this.part = 'head'
    const { handler } = this
    this.handler = undefined
    handler?.done()
  }
}
