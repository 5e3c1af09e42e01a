// Tells language servers that this encoder exists: POST at the bootstrap port of each, again and again so that one which restarted knows it too, DELETE at the end.

export interface Registration {
  /** Takes the address back everywhere; a server that does not answer is left after a second. */
  stop(): Promise<void>
}

export interface RegistrationOptions {
  /** `http://host:port` of the bootstrap servers (--encoder-bootstrap-port of language servers). */
  servers: readonly string[]
  /** The address to tell, without a slash at its end: what language servers join `/encode` to. */
  url: string
  /** Milliseconds between two rounds. A server keeps a list without doubles. */
  everyMs?: number
  /** A server began or ceased to know us. */
  onNotice?: (text: string) => void
}

const askMs = 2000

export function register({ servers, url, everyMs = 5000, onNotice = () => {} }: RegistrationOptions): Registration {
  const ended = new AbortController()
  const known = new Map<string, boolean>()
  const tell = async (server: string) => {
    const done = await ask('POST', `${server}/register_encoder_url`, url, AbortSignal.any([ended.signal, AbortSignal.timeout(askMs)]))
    if (ended.signal.aborted || known.get(server) === done) return
    known.set(server, done)
    onNotice(done ? `registered ${url} at ${server}` : `${server} takes no registration; trying again`)
  }
  const loop = async (server: string) => {
    while (!ended.signal.aborted) {
      await tell(server)
      await pause(everyMs, ended.signal)
    }
  }
  const loops = Promise.all(servers.map(loop))
  return {
    async stop() {
      ended.abort()
      await loops
      await Promise.all(servers.map((server) => ask('DELETE', `${server}/unregister_encoder_url`, url, AbortSignal.timeout(1000))))
    },
  }
}

async function ask(method: string, address: string, url: string, signal: AbortSignal): Promise<boolean> {
  try {
    const headers = { 'content-type': 'application/json' }
    const response = await fetch(address, { method, headers, body: JSON.stringify({ url }), signal })
    await response.body?.cancel()
    return response.ok
  } catch {
    return false // Not up yet, or gone: the next round asks again.
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve()
    const end = () => {
      clearTimeout(timer)
      resolve()
    }
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', end)
      resolve()
    }, ms)
    signal.addEventListener('abort', end, { once: true })
  })
}
