// HTTP to a running SGLang. Over node:http, since fetch has 256 requests under way at most in a process: with that many streams
// an abort, a health check or the next request would wait for ever.
import http from 'node:http'
import https from 'node:https'

export interface HttpReply {
  status: number
  body: AsyncIterable<Uint8Array>
}

/** Sends a request (`body` undefined: GET) and resolves at the answer's head. Rejects when the connection fails or `signal` is aborted. */
export function send(url: string, headers: Record<string, string>, body: string | undefined, signal?: AbortSignal): Promise<HttpReply> {
  return new Promise((resolve, reject) => {
    const client = url.startsWith('https:') ? https : http
    const method = body === undefined ? 'GET' : 'POST'
    const request = client.request(url, { method, headers, agent: false, ...(signal ? { signal } : {}) }, (response) =>
      resolve({ status: response.statusCode ?? 0, body: response }),
    )
    request.on('error', reject)
    request.end(body)
  })
}

/** The whole body as text. */
export async function readText(reply: HttpReply): Promise<string> {
  const chunks: Uint8Array[] = []
  for await (const chunk of reply.body) chunks.push(chunk)
  return Buffer.concat(chunks).toString('utf8')
}
