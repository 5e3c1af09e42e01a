// One logger for the process: pino, synchronous (a compiled binary has no worker files), to stderr so that stdout stays the program's own.
// Its level is set from the settings (cli/serve.ts): DYN_LOG may hold more than a level.
import pino from 'pino'

export type Logger = pino.Logger

export const log: Logger = pino(
  { level: 'info', base: null, timestamp: pino.stdTimeFunctions.isoTime, formatters: { level: (level) => ({ level }) } },
  // Not `fd`: pino would still ask for stdout's as the default, and make that stream at every start.
  pino.destination({ dest: 2, sync: true }),
)
