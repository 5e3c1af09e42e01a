// What the OpenAI API listens on, and what it takes.
import { flag, flagOn, integer, text } from '../setting.ts'

const front = { commands: ['serve', 'frontend'] as const }

export const httpSettings = {
  httpHost: text('http', '--http-host', 'DYN_HTTP_HOST', '0.0.0.0', 'Address the OpenAI API listens on', front),
  httpPort: integer('http', '--http-port', 'DYN_HTTP_PORT', 8000, 'Port of the OpenAI API; 0 takes a free one', {
    ...front,
    min: 0,
    max: 65535,
  }),
  reusePort: flag(
    'http',
    '--reuse-port',
    'DYN_HTTP_REUSE_PORT',
    'Let several frontends of this machine share the port; the kernel spreads connections',
    front,
  ),
  controlApi: flag(
    'http',
    '--control-api',
    'DYN_CONTROL_API',
    'Serve /engine/* (profiles, weights, memory) on the API port as well as on the system port',
    front,
  ),
  tlsCertPath: text('http', '--tls-cert-path', 'DYN_TLS_CERT_PATH', undefined, 'Certificate (PEM) for HTTPS; with --tls-key-path', front),
  tlsKeyPath: text('http', '--tls-key-path', 'DYN_TLS_KEY_PATH', undefined, 'Private key (PEM) of the certificate', front),
  bodyLimitMb: integer('http', '--http-body-limit-mb', 'DYN_HTTP_BODY_LIMIT_MB', 45, 'Largest request body, in MB', { ...front, min: 1 }),
  maxInflight: integer(
    'http',
    '--max-inflight',
    'DYN_MAX_INFLIGHT',
    undefined,
    'Requests in flight before new ones are refused as overloaded; no limit when absent',
    { ...front, min: 1 },
  ),
  overloadStatus: integer('http', '--overload-status', 'DYN_HTTP_OVERLOAD_STATUS_CODE', 529, 'HTTP status of an overloaded server', {
    ...front,
    min: 400,
    max: 599,
  }),
  corsOrigin: text(
    'http',
    '--cors-origin',
    'DYN_HTTP_CORS_ORIGIN',
    undefined,
    'Sites whose pages may call the API: * or one origin; none when absent',
    front,
  ),
  ignoreUnsupportedFields: flag(
    'http',
    '--ignore-unsupported-fields',
    'DYN_IGNORE_OPENAI_FE_UNSUPPORTED_FIELDS',
    'Ignore unknown request fields instead of refusing them',
    front,
  ),
  excludeToolsWhenNone: flagOn(
    'http',
    '--exclude-tools-when-tool-choice-none',
    'DYN_EXCLUDE_TOOLS_WHEN_TOOL_CHOICE_NONE',
    'Leave the tools out of the prompt when tool_choice is none',
    front,
  ),
  systemHost: text('http', '--system-host', 'DYN_SYSTEM_HOST', '0.0.0.0', 'Address of the system port'),
  systemPort: integer(
    'http',
    '--system-port',
    'DYN_SYSTEM_PORT',
    undefined,
    'Port for operators: /metrics, /live, /ready, /health and /engine/…',
    {
      min: -1,
      max: 65535,
    },
  ),
}
