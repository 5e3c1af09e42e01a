// What an example is.

export interface ExampleProcess {
  /** What its lines begin with. */
  name: string
  args: readonly string[]
  env?: Readonly<Record<string, string>>
}

/** A flag of the example itself. */
export interface ExampleOption {
  /** When it is not given. */
  value: string
  /** Other spellings of the flag. */
  also?: readonly string[]
  values?: readonly string[]
  /** A whole number, at least 1. */
  number?: boolean
}

export interface Example {
  name: string
  about: string
  /** Our own command lines, started together; empty for a file, and where `made` makes them. */
  processes: readonly ExampleProcess[]
  /** By flag; the values go to `made`. */
  options?: Readonly<Record<string, ExampleOption>>
  made?(values: Readonly<Record<string, string>>): { processes: readonly ExampleProcess[]; request: string }
  /** A file to print instead of processes to run. */
  file?: string
  /** A request to try once it is up. */
  request?: string
}
