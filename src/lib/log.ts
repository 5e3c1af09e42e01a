// One logger for the process: pino, synchronous (a compiled binary has no worker files), to stderr so that stdout stays the program's own.
import pino from 'pino'

export type Logger = pino.Logger

export const log: Logger = pino(
  { level: process.env.DYN_LOG ?? 'info', base: null, timestamp: pino.stdTimeFunctions.isoTime, formatters: { level: (level) => ({ level }) } },
  pino.destination({ fd: 2, sync: true }),
)
