// One frontend and two workers, each with a real SGLang: started once, shared by the subjects of this folder, which leave it with two workers that serve.
import { type Fleet, type FleetFrontend, type FleetWorker, startFleet } from '../../helpers/processes/fleet.ts'
import { type Relay, relay } from '../../helpers/processes/relay.ts'
import { realArgs, realEnv, serving } from '../../helpers/processes/sglang-fleet.ts'
import { freePort } from '../../helpers/processes/sglang-server.ts'

/** Rounds of deaths and of replacements beyond what every run has, without a pause for who comes back; 0: none. */
export const thorough = Number(process.env.DYN_TEST_THOROUGH ?? 0)

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

/** The last warnings of its processes: what a failure here came from is seldom seen from outside. */
export function troubleOf({ frontend, a, b }: Setup): string {
  const lines = (name: string, output: string) =>
    output
      .split('\n')
      .filter((line) => /"level":"(?:warn|error|fatal)"/.test(line))
      .slice(-12)
      .map((line) => `${name} ${line.slice(0, 300)}`)
  return [...lines('frontend', frontend.output()), ...lines('a', a.output()), ...lines('b', b.output())].join('\n')
}
