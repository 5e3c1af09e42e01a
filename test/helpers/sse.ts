// Reads an answer's event stream in tests.

/** What follows `data: ` in each event, as the bytes come. */
export async function* sseEvents(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const bytes of body) {
    rest += decoder.decode(bytes, { stream: true })
    const events = rest.split('\n\n')
    rest = events.pop()!
    for (const event of events) if (event.startsWith('data: ')) yield event.slice(6)
  }
}
