import { describe, expect, test } from 'bun:test'
import { HttpResponses } from '../../../src/cli/bench/http-response.ts'

/** Reads all responses of some bytes, fed in pieces. */
function read(pieces: Buffer[], responses = new HttpResponses()): { told: string[]; responses: HttpResponses } {
  const told: string[] = []
  let body = ''
  const handler = {
    head: (status: number) => void told.push(String(status)),
    body: (bytes: Buffer, start: number, end: number) => {
      body += bytes.toString('utf8', start, end)
    },
    done: () => {
      told.push(body, 'done')
      body = ''
      responses.handler = handler
    },
  }
  responses.handler = handler
  for (const piece of pieces) responses.feed(piece)
  return { told, responses }
}

const cases: [string, string, string[]][] = [
  ['a length', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello', ['200', 'hello', 'done']],
  ['no body', 'HTTP/1.1 204 No Content\r\n\r\n', ['204', '', 'done']],
  ['an empty body', 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n', ['200', '', 'done']],
  [
    'chunks',
    'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n',
    ['200', 'abc0123456789', 'done'],
  ],
  ['trailers', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nz\r\n0\r\nA: b\r\nC: d\r\n\r\n', ['200', 'z', 'done']],
  ['100 Continue first', 'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 503 Busy\r\nContent-Length: 2\r\n\r\nno', ['503', 'no', 'done']],
  [
    'two in a row',
    'HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\naHTTP/1.1 404 No\r\nContent-Length: 1\r\n\r\nb',
    ['200', 'a', 'done', '404', 'b', 'done'],
  ],
]

test.each(cases)('%s, whole and byte by byte', (_, text, expected) => {
  expect(read([Buffer.from(text)]).told).toEqual(expected)
  expect(read([...Buffer.from(text)].map((byte) => Buffer.from([byte]))).told).toEqual(expected)
})

describe('keep-alive', () => {
  test.each([
    ['as it comes', 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n', true],
    ['Connection: close', 'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n', false],
    ['HTTP/1.0', 'HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n', false],
  ])('%s', (_, text, reusable) => {
    expect(read([Buffer.from(text)]).responses.reusable).toBe(reusable)
  })

  test('a body without a length ends with the connection', () => {
    const { told, responses } = read([Buffer.from('HTTP/1.1 200 OK\r\n\r\nabc')])
    expect([told, responses.reusable]).toEqual([['200'], false])
    expect(responses.end()).toBe(true)
    expect(told).toEqual(['200', 'abc', 'done'])
  })

  test('a connection that breaks inside a body does not end it', () => {
    expect(read([Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab')]).responses.end()).toBe(false)
  })
})

test.each(['SSH-2.0-x\r\n\r\n', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n'])('%j is refused', (text) => {
  expect(() => read([Buffer.from(text)])).toThrow()
})
