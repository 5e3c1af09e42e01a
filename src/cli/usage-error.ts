// The error of a wrong command line, apart from the command table that the commands would otherwise import back.
/** A command line that cannot be understood: exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}
