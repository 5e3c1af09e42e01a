// One frontend and two workers, each with a real SGLang: started once, shared by the subjects of this folder, which leave it with two workers that serve.
import { type Fleet, type FleetFrontend, type FleetWorker, startFleet } from '../../helpers/fleet.ts'
import { type Relay, relay } from '../../helpers/relay.ts'
import { realArgs, realEnv, serving } from '../../helpers/sglang-fleet.ts'
import { freePort } from '../../helpers/sglang-server.ts'

/** Longer and more often. */
export const thorough = process.env.DYN_TEST_THOROUGH === '1'

export interface Setup {
  fleet: Fleet
  frontend: FleetFrontend
  /** The workers that run now; `a`'s events go over `wire`. */
  a: FleetWorker
  b: FleetWorker
  wire: Relay
}

/** Nothing is predicted: what the router knows of caches, it knows by events. */
export const frontendArgs = ['--control-api', '--router-predicted-ttl-secs', '0']

export function startWorker(fleet: Fleet, more: string[] = [], env: Record<string, string> = {}): Promise<FleetWorker> {
  return fleet.worker(realArgs(...more), realEnv(env))
}

export async function startSetup(): Promise<Setup> {
  const fleet = startFleet(undefined, 240_000)
  const port = freePort()
  // The card says 127.0.0.2, the worker listens at 127.0.0.1: in between is the wire.
  const wire = relay({ hostname: '127.0.0.2', port }, { hostname: '127.0.0.1', port })
  const apart = ['--event-plane-host', '127.0.0.2', '--plane-bind', '127.0.0.1', '--event-plane-port', String(port)]
  try {
    const [frontend, a, b] = await Promise.all([fleet.frontend(frontendArgs), startWorker(fleet, apart), startWorker(fleet)])
    await serving(frontend.url, [a.id, b.id])
    return { fleet, frontend, a, b, wire }
  } catch (error) {
    wire.close()
    await fleet.stop()
    throw error
  }
}

export async function stopSetup(setup: Setup | undefined): Promise<void> {
  setup?.wire.close()
  await setup?.fleet.stop()
}
