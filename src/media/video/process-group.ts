// Programs that we start, each at the head of a process group of its own: one may be a script around ffmpeg, and what is ended ends with all that it
// started. A Ctrl-C in our terminal does not reach them, so that encoders of requests that are allowed to finish do.

const live = new Set<Bun.Subprocess>()
let hooked = false

/** Ends with us, if it has not ended before. `child` was spawned with `detached`. */
export function ours<T extends Bun.Subprocess>(child: T): T {
  if (!hooked) {
    hooked = true
    // Killed, we take our end of the pipe with us and ffmpeg ends; one that hangs needs more, as long as we can.
    process.on('exit', () => {
      for (const one of live) killGroup(one)
    })
  }
  live.add(child)
  void child.exited.then(() => live.delete(child))
  return child
}

/** With what it started. */
export function killGroup(child: Bun.Subprocess): void {
  // Once it has been waited for, its number may be another's.
  if (child.exitCode !== null || child.signalCode !== null) return
  try {
    process.kill(-child.pid, 'SIGKILL')
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== 'ESRCH') throw thrown
  }
}

/**
 * What a program writes to its standard output. Rejects with an Error when it fails or takes longer than `limitMs`. What it leaves behind is not waited
 * for longer than `graceMs`, though it holds the pipe.
 */
export async function textOf(command: string[], limitMs = 20_000, graceMs = 1000): Promise<string> {
  const child = ours(Bun.spawn(command, { stdio: ['ignore', 'pipe', 'ignore'], detached: true }))
  let late = false
  const limit = setTimeout(() => {
    late = true
    killGroup(child)
  }, limitMs)
  const reader = child.stdout.getReader()
  const decoder = new TextDecoder()
  let text = ''
  const reading = (async () => {
    for (let part = await reader.read(); !part.done; part = await reader.read()) text += decoder.decode(part.value, { stream: true })
  })()
  const code = await child.exited
  clearTimeout(limit)
  await Promise.race([reading, Bun.sleep(graceMs)])
  await reader.cancel()
  if (late) throw new Error(`it took longer than ${limitMs / 1000} seconds`)
  if (code !== 0) throw new Error(`exit code ${code}`)
  return text
}
