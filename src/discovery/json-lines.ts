// Streams of JSON values, one a line: the watches of etcd and Kubernetes.

/** Calls `onValue` for each line until the body ends; rejects when it breaks, is no JSON, or `onValue` throws. Ends the stream in each case. */
export async function jsonLines<T>(answer: Response, onValue: (value: T) => void): Promise<void> {
  const reader = answer.body!.getReader()
  const decoder = new TextDecoder()
  // A card of 100 KB comes in pieces: they are joined once.
  let pieces: string[] = []
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      let text = decoder.decode(value, { stream: true })
      for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n')) {
        const line = pieces.join('') + text.slice(0, end)
        pieces = []
        text = text.slice(end + 1)
        if (line.trim() !== '') onValue(JSON.parse(line) as T)
      }
      if (text !== '') pieces.push(text)
    }
  } finally {
    await reader.cancel().catch(() => undefined) // Broken already.
  }
}
