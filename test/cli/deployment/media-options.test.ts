import { expect, test } from 'bun:test'
import { inputOptions } from '../../../src/cli/deployment/media-options.ts'
import { parseSettings } from '../../../src/cli/settings/parse-settings.ts'

test("users' files are fetched by a proxy where the environment names one, however it is spelled", () => {
  const settings = parseSettings([], {}, 'frontend')
  for (const name of ['HTTPS_PROXY', 'https_proxy', 'HTTP_PROXY', 'http_proxy'])
    expect(inputOptions(settings, { [name]: 'http://proxy.test:3128' }).byProxy).toBe(true)
  expect(inputOptions(settings, { HTTPS_PROXY: '', PATH: '/bin' }).byProxy).toBe(false)
})
