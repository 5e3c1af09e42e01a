// A frontend and two workers as processes, each worker with a real SGLang on the CPU: routing by its events, operators' calls, deaths, a rolling update.
// DYN_TEST_THOROUGH=N: N rounds of deaths and of replacements, with figures.
import { afterAll, beforeAll, describe } from 'bun:test'
import { need } from '../helpers/need.ts'
import { canRunReal } from '../helpers/processes/sglang-fleet.ts'
import { control } from './fleet-sglang/control.ts'
import { leaving } from './fleet-sglang/leaving.ts'
import { ranks } from './fleet-sglang/ranks.ts'
import { routing } from './fleet-sglang/routing.ts'
import { type Setup, startSetup, stopSetup, troubleOf } from './fleet-sglang/setup.ts'
import { survival } from './fleet-sglang/survival.ts'

describe.skipIf(!need('SGLang (bun run sglang:setup)', canRunReal))('real workers', () => {
  let made: Setup | undefined
  beforeAll(async () => {
    made = await startSetup()
  }, 300_000)
  afterAll(() => {
    if (made !== undefined) console.log(troubleOf(made))
    return stopSetup(made)
  }, 60_000)
  const setup = () => made!

  // In this order: the deaths leave a worker with two ranks behind, the last one leaves one worker.
  describe('routing', () => routing(setup))
  describe('control', () => control(setup))
  describe('survival', () => survival(setup))
  describe('ranks', () => ranks(setup))
  describe('leaving', () => leaving(setup))
})
