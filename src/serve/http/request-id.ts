// The name of a request: the client's x-request-id where it is usable, else a new one. It goes into headers, answers and log lines.
import { newId } from '../../lib/ids.ts'

const usable = /^[\w.:@+=/-]{1,128}$/

/** An id that is safe in a header, in JSON and in a log line. */
export function requestIdOf(headers: Headers): string {
  const given = headers.get('x-request-id')
  return given !== null && usable.test(given) ? given : newId()
}
