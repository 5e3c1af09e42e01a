// How this program starts itself again: the compiled file alone, or bun with the entry when it runs from source.

/** Words to put before a command's own arguments. */
export function selfCommand(): string[] {
  return isCompiled() ? [process.execPath] : [process.execPath, Bun.main]
}

/** True inside the compiled binary. */
function isCompiled(): boolean {
  return Bun.main.startsWith('/$bunfs/')
}
