// The page at /docs, run over the real /openapi.json with as much of a browser as it uses.
import { expect, test } from 'bun:test'
import { docsPage } from '../../../src/serve/http/docs.ts'
import { openapiDocument } from '../../../src/serve/http/openapi.ts'

/** An element: its text and what was put into it. */
class Element {
  textContent = ''
  readonly children: (Element | string)[] = []
  append(...children: (Element | string)[]): void {
    this.children.push(...children)
  }
  text(): string {
    return this.textContent + this.children.map((child) => (typeof child === 'string' ? child : child.text())).join(' ')
  }
}

test('shows every route of the document', async () => {
  const document_ = (await openapiDocument('1.2.3')) as { paths: Record<string, unknown> }
  const main = new Element()
  const shown = Promise.withResolvers<void>()
  const script = /<script>([\s\S]*)<\/script>/.exec(docsPage)![1]!
  const page = { querySelector: () => main, createElement: () => new Element() }
  const fetched = async () => {
    setTimeout(shown.resolve, 20)
    return { json: async () => JSON.parse(JSON.stringify(document_)) }
  }
  new Function('document', 'fetch', 'location', script)(page, fetched, { origin: 'http://here' })
  await shown.promise
  const text = main.text()
  expect(text).not.toContain('Error')
  for (const path of Object.keys(document_.paths)) expect(text).toContain(path)
})
