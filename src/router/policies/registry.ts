// --router-mode: name → policy.
import { AppError } from '../../lib/errors.ts'
import { direct } from './direct.ts'
import { kv } from './kv.ts'
import { leastLoaded } from './least-loaded.ts'
import type { Policy } from './policy.ts'
import { powerOfTwo } from './power-of-two.ts'
import { random } from './random.ts'
import { roundRobin } from './round-robin.ts'

const policies: readonly Policy[] = [kv, roundRobin, random, leastLoaded, powerOfTwo, direct]

export const policyNames: readonly string[] = policies.map((policy) => policy.name)

/** Throws AppError `invalid_setting` with the list for an unknown name. */
export function findPolicy(name: string): Policy {
  const policy = policies.find((one) => one.name === name)
  if (policy !== undefined) return policy
  throw new AppError('invalid_setting', {
    param: '--router-mode',
    message: `There is no router mode ${name}; known: ${policyNames.join(', ')}.`,
  })
}
