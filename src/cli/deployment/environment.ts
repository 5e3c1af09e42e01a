// The variables of a process, as the command line hands them on: what is read of them is said by the table of settings.

export type Environment = Readonly<Record<string, string | undefined>>
