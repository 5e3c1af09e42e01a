// Log lines that are written together: a write for each request's line would be a fifth of what a short request costs.
import { writeSync } from 'node:fs'
import pino from 'pino'
import type { Logger } from '../../lib/log.ts'

/** Characters that may wait before they are written at once. */
const MAX_WAITING = 32 << 10
/** How late a line may be. */
const FLUSH_MS = 100

/** A logger like `log`, whose lines reach `fd` (default: stderr) up to 100 ms later, and at the latest when the process exits. */
export function bufferedLog(log: Logger, fd = 2): Logger {
  let waiting = ''
  let timer: Timer | undefined

  function flush(): void {
    clearTimeout(timer)
    timer = undefined
    const text = waiting
    waiting = ''
    if (text !== '') writeAll(fd, text)
  }

  process.on('exit', flush)
  const destination = {
    write(line: string): void {
      waiting += line
      if (waiting.length > MAX_WAITING) flush()
      else timer ??= setTimeout(flush, FLUSH_MS).unref()
    },
  }
  const formatters = { level: (level: string) => ({ level }) }
  return pino({ level: log.level, base: null, timestamp: pino.stdTimeFunctions.isoTime, formatters }, destination)
}

function writeAll(fd: number, text: string): void {
  const bytes = Buffer.from(text)
  let at = 0
  while (at < bytes.length) {
    try {
      at += writeSync(fd, bytes, at)
    } catch (cause) {
      // A full pipe is waited for, as the synchronous logger does; a closed one has no reader to tell.
      if ((cause as { code?: string }).code !== 'EAGAIN') return
      Bun.sleepSync(1)
    }
  }
}
