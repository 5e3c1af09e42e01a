// One file of the hub into the blob store: resumable, checked against its hash, in place only when whole.
import { createHash } from 'node:crypto'
import { appendFile, mkdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { exists } from './hub-cache.ts'

/** A silent server counts as gone after this long. */
const stallMs = 20_000

/**
 * fetch that follows redirects by hand, so that the token never goes to another host (the hub sends large files to a CDN).
 * `stopAtHop` returns the first answer, whose headers describe the file.
 */
export async function hubFetch(
  url: string,
  token: string | undefined,
  method: 'GET' | 'HEAD',
  from = 0,
  stopAtHop = false,
): Promise<Response> {
  let target = new URL(url)
  for (let hop = 0; hop < 8; hop++) {
    const headers: Record<string, string> = { 'user-agent': 'dynamo-sglang' }
    if (token && target.origin === new URL(url).origin) headers.authorization = `Bearer ${token}`
    if (from > 0) headers.range = `bytes=${from}-`
    // The limit covers the head; the body is read under its own.
    const limit = new AbortController()
    const timer = setTimeout(() => limit.abort(new Error('no answer')), stallMs)
    try {
      const answer = await fetch(target, { method, headers, redirect: 'manual', signal: limit.signal })
      const location = answer.headers.get('location')
      if (answer.status < 300 || answer.status >= 400 || !location) return answer
      const next = new URL(location, target)
      // A renamed model redirects on the hub itself: only a hop to another host ends the description.
      if (stopAtHop && (next.origin !== target.origin || answer.headers.has('x-linked-etag'))) return answer
      target = next
    } finally {
      clearTimeout(timer)
    }
  }
  throw new Error(`too many redirects from ${url}`)
}

/** Loads the file unless its blob is there; returns the blob's name (the hub's etag). Throws Error with the reason. */
export async function downloadBlob(url: string, token: string | undefined, blobPath: (etag: string) => string): Promise<string> {
  const head = await hubFetch(url, token, 'HEAD', 0, true)
  if (head.status >= 400) throw new Error(`HTTP ${head.status} for ${url}`)
  const etag = (head.headers.get('x-linked-etag') ?? head.headers.get('etag') ?? '').replace(/^W\//, '').replaceAll('"', '')
  if (!/^[\w.-]+$/.test(etag)) throw new Error(`no usable etag for ${url}`)
  const path = blobPath(etag)
  if (await exists(path)) return etag
  await mkdir(dirname(path), { recursive: true })
  const partial = `${path}.incomplete`
  for (let attempt = 1; ; attempt++) {
    try {
      await fill(url, token, partial)
      if (await hashFits(partial, etag)) break
      await rm(partial, { force: true })
      throw new Error(`${url} arrived damaged`)
    } catch (error) {
      if (attempt === 3) throw error
    }
  }
  await rename(partial, path)
  return etag
}

/** Appends what is missing to the partial file. */
async function fill(url: string, token: string | undefined, partial: string): Promise<void> {
  const have = (await stat(partial).catch(() => undefined))?.size ?? 0
  const answer = await hubFetch(url, token, 'GET', have)
  if (answer.status === 416) return // nothing is missing; the hash decides
  if (!answer.ok || !answer.body) throw new Error(`HTTP ${answer.status} for ${url}`)
  if (answer.status !== 206) await rm(partial, { force: true }) // the server does not resume
  const reader = answer.body.getReader()
  for (;;) {
    const { done, value } = await nextChunk(reader)
    if (done) break
    await appendFile(partial, value)
  }
  if (!(await exists(partial))) await appendFile(partial, '') // an empty file is a file
}

async function nextChunk(reader: {
  read(): Promise<{ done: boolean; value?: Uint8Array | undefined }>
  cancel(): Promise<void>
}): Promise<{ done: boolean; value: Uint8Array }> {
  let timer: Timer | undefined
  const stall = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('the download stalled')), stallMs)
  })
  try {
    const { done, value } = await Promise.race([reader.read(), stall])
    return { done, value: value ?? new Uint8Array(0) }
  } catch (error) {
    await reader.cancel().catch(() => undefined)
    throw error
  } finally {
    clearTimeout(timer)
  }
}

/** The hub's etag is the sha256 of a large file and git's blob id of a small one; other etags are not checked. */
async function hashFits(path: string, etag: string): Promise<boolean> {
  if (!/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(etag)) return true
  const content = await readFile(path)
  if (etag.length === 64) return createHash('sha256').update(content).digest('hex') === etag
  return createHash('sha1').update(`blob ${content.length}\0`).update(content).digest('hex') === etag
}
