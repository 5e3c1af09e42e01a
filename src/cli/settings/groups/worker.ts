// A worker: its address, its health, its log.
import { choice, decimal, integer, text } from '../setting.ts'

export const workerSettings = {
  endpoint: text(
    'worker',
    '--endpoint',
    'DYN_ENDPOINT',
    undefined,
    'Address of this worker for other processes: dyn://namespace.component.endpoint',
  ),
  namespace: text('worker', '--namespace', 'DYN_NAMESPACE', 'dynamo', 'Namespace when --endpoint does not give one'),
  namespacePrefix: text(
    'worker',
    '--namespace-prefix',
    'DYN_NAMESPACE_PREFIX',
    undefined,
    "Dynamo's other word for the frontend's --namespace",
    {
      commands: ['serve', 'frontend'],
      hidden: true,
    },
  ),
  namespaceSuffix: text(
    'worker',
    '--namespace-worker-suffix',
    'DYN_NAMESPACE_WORKER_SUFFIX',
    undefined,
    "Generation of a worker, put behind its endpoint's namespace (rolling updates); frontends of the namespace see all of them",
  ),
  workers: integer('worker', '--workers', 'DYN_WORKERS', 1, 'Copies of the engine on this machine, each with its own GPUs', {
    commands: ['serve'],
    min: 1,
    max: 1024,
  }),
  healthCheckPayload: text(
    'worker',
    '--health-check-payload',
    'DYN_HEALTH_CHECK_PAYLOAD',
    undefined,
    'JSON of the request that /health asks the engine, or @FILE',
  ),
  canaryIdleSecs: decimal(
    'worker',
    '--canary-idle-secs',
    'DYN_CANARY_WAIT_TIME',
    10,
    'Ask the engine for a token after this long without one',
    {
      min: 0,
    },
  ),
  engineSilenceSecs: decimal(
    'worker',
    '--engine-silence-secs',
    'DYN_ENGINE_SILENCE_SECS',
    60,
    'Probe an engine that holds requests and says nothing for so long, and restart it if it stays silent as long again; 0: never',
    {
      min: 0,
    },
  ),
  migrationLimit: integer('worker', '--migration-limit', 'DYN_MIGRATION_LIMIT', 3, 'How often an answer may move to another worker', {
    min: 0,
  }),
  logLevel: choice(
    'worker',
    '--dyn-log-level',
    'DYN_LOG',
    ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'],
    'info',
    'How much goes to the log (stderr)',
  ),
}
