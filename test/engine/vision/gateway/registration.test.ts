// How an encoder makes itself known to language servers.
import { expect, test } from 'bun:test'
import { register } from '../../../../src/engine/vision/gateway/registration.ts'

/** SGLang's bootstrap server, as far as encoders see it. */
function bootstrap(port = 0) {
  const urls: string[] = []
  const server = Bun.serve({
    hostname: '127.0.0.1',
    port,
    routes: {
      '/register_encoder_url': {
        async POST(request) {
          const { url } = (await request.json()) as { url: string }
          if (!urls.includes(url)) urls.push(url)
          return new Response('OK')
        },
      },
      '/unregister_encoder_url': {
        async DELETE(request) {
          const { url } = (await request.json()) as { url: string }
          urls.splice(urls.indexOf(url), 1)
          return new Response('OK')
        },
      },
    },
  })
  return { urls, port: server.port!, address: `http://127.0.0.1:${server.port}`, stop: () => server.stop(true) }
}

test('registers at each server, again at one that restarted, and takes itself back at the end', async () => {
  const [one, two] = [bootstrap(), bootstrap()]
  const notices: string[] = []
  const url = 'http://127.0.0.1:30001'
  const registration = register({ servers: [one.address, two.address], url, everyMs: 20, onNotice: (text) => notices.push(text) })
  while (one.urls.length + two.urls.length < 2) await Bun.sleep(1)
  await one.stop()
  while (!notices.some((text) => text.includes('takes no registration'))) await Bun.sleep(1)
  const again = bootstrap(one.port)
  while (again.urls.length === 0) await Bun.sleep(1)
  await Bun.sleep(60)
  expect([again.urls, two.urls]).toEqual([[url], [url]])
  await registration.stop()
  expect([again.urls, two.urls]).toEqual([[], []])
  await Promise.all([again.stop(), two.stop()])
})

test('a server that is not there does not hold up the end', async () => {
  const gone = bootstrap()
  await gone.stop()
  const registration = register({ servers: [gone.address], url: 'http://x:1', everyMs: 10 })
  await Bun.sleep(30)
  await registration.stop()
})
