// What the sglang engine is told: all of it explicit, nothing is read from our own environment.
import type { Level } from './frames.ts'
import type { LaunchOptions } from './launch/launch.ts'

export interface SglangOptions {
  /** The Python that has SGLang: a path, or a name to find in `env.PATH`. */
  python: string
  /** SGLang's own arguments, verbatim and in order. */
  args: readonly string[]
  /** The whole environment of SGLang. */
  env: Readonly<Record<string, string>>
  /** Keeps the bridge's files between runs. */
  cacheDir: string
  /** Holds the sockets while it runs; its path must be short. */
  tmpDir?: string
  /** Have the engine tell its KV events (`kv`), for a router that needs them; without it only a user's own --kv-events-config does. */
  kvEvents?: boolean
  /** Try no faster level than this. */
  level?: Level
  /** An engine that holds requests and says nothing for this long is asked for a token, and restarted if it gives none as long again; 0: never. */
  silenceMs?: number
  /** Each line that SGLang writes. */
  onLine?: (line: string) => void
  /** What the engine itself has to tell the operator: crashes, restarts, lost frames. */
  onNotice?: (text: string) => void
}

/** What one start of the bridge is told. */
export function launchOptions(options: SglangOptions): LaunchOptions {
  const { python, args, env, cacheDir, tmpDir = '/tmp', level, kvEvents = false, onLine = () => {} } = options
  return { python, args, env, cacheDir, tmpDir, level, kvEvents, onLine }
}
