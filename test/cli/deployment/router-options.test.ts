import { expect, test } from 'bun:test'
import { routerOptions } from '../../../src/cli/deployment/router-options.ts'
import { routerModes } from '../../../src/cli/settings/groups/routing.ts'
import { parseSettings } from '../../../src/cli/settings/parse-settings.ts'
import { defaultDisaggOptions } from '../../../src/router/create.ts'
import { defaultRouterOptions } from '../../../src/router/options.ts'
import { policyNames } from '../../../src/router/policies/registry.ts'

const options = (line: string) => routerOptions(parseSettings(line.split(' ').filter(Boolean), {}, 'frontend'))

test('no flag at all gives the defaults of the router', () => {
  const absent = Object.entries(options('')).filter(([, value]) => value !== undefined)
  expect(Object.fromEntries(absent)).toEqual({ ...defaultRouterOptions, ...defaultDisaggOptions })
})

test('the modes are those that the router has, and an unknown formula is refused before anything starts', () => {
  expect<string[]>([...routerModes].sort()).toEqual([...policyNames].sort())
  expect(() => options('--router-cost nope')).toThrow(/--router-cost must be one of: .*dynamo/)
})

test('each flag reaches its knob', () => {
  expect(options('--router-mode least-loaded --router-temperature 0.5 --no-router-kv-events --router-ttl-secs 9')).toMatchObject({
    mode: 'least-loaded',
    temperature: 0.5,
    useKvEvents: false,
    ttlSecs: 9,
  })
  expect(
    options('--active-decode-blocks-threshold 0.8 --router-queue-threshold 2 --engine-request-limit 4 --overload-status 503'),
  ).toMatchObject({
    activeDecodeBlocksThreshold: 0.8,
    queueThreshold: 2,
    engineRequestLimit: 4,
    overloadStatus: 503,
  })
  expect(options('--enforce-disagg --router-conditional-disagg --max-local-prefill-length 77')).toMatchObject({
    enforceDisagg: true,
    conditionalDisagg: true,
    maxLocalPrefillLength: 77,
  })
})

test('old words: a preset, and a first name', () => {
  expect(options('--load-aware --router-mode random')).toMatchObject({
    mode: 'kv',
    overlapScoreCredit: 0,
    useKvEvents: false,
    assumeKvReuse: false,
  })
  expect(options('--kv-overlap-score-weight 3').prefillLoadScale).toBe(3)
})
