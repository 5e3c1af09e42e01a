// A crowd of clients that leave at random moments, over raw sockets so that every moment can be hit: in the head, in the body, in the answer.
import { connect } from 'node:net'
import { model } from './openai.ts'
import type { Started } from './processes/start.ts'

/** How many left before their answer was whole, and how many got all of it. */
export interface Crowd {
  left: number
  finished: number
}

export async function disconnectMany(server: Pick<Started, 'port'>, count: number, together: number): Promise<Crowd> {
  const crowd: Crowd = { left: 0, finished: 0 }
  let started = 0
  const one = async () => {
    while (started < count) crowd[await visit(server.port, started++)]++
  }
  await Promise.all(Array.from({ length: together }, one))
  return crowd
}

/** One request of the `seed`-th kind: streamed or not, chat or completion, of differing length; gone after up to 40 ms. */
function visit(port: number, seed: number): Promise<keyof Crowd> {
  const stream = seed % 2 === 0
  const chat = seed % 3 !== 0
  const asked = { model, stream, max_tokens: 20 + (seed % 7) * 60, ignore_eos: true, n: seed % 11 === 0 ? 3 : 1 }
  const body = JSON.stringify(
    chat ? { ...asked, messages: [{ role: 'user', content: `Number ${seed}` }] } : { ...asked, prompt: `Number ${seed}` },
  )
  const request = `POST /v1/${chat ? 'chat/completions' : 'completions'} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`
  // One in ten leaves before its request is out.
  const sent = seed % 10 === 0 ? request.slice(0, Math.floor(Math.random() * request.length)) : request
  return new Promise((done) => {
    const socket = connect({ host: '127.0.0.1', port })
    const leave = setTimeout(() => {
      if (seed % 4 === 0) socket.resetAndDestroy()
      else socket.destroy()
      done('left')
    }, Math.random() * 40)
    socket.on('connect', () => socket.write(sent))
    socket.on('data', () => {})
    socket.on('error', () => {})
    socket.on('end', () => {
      clearTimeout(leave)
      socket.destroy()
      done('finished')
    })
  })
}
