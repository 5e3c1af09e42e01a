// What SGLang's diffusion engine is told: all of it explicit, nothing is read from our own environment.

export interface SglangDiffusionOptions {
  /** The Python that has SGLang: a path, or a name to find in `env.PATH`. */
  python: string
  /** SGLang's own arguments, verbatim and in order. */
  args: readonly string[]
  /** The whole environment of SGLang. */
  env: Readonly<Record<string, string>>
  /** Keeps the bridge's files between runs. */
  cacheDir: string
  /** What the model is to make; a model that makes something else is refused at start. */
  makes: 'image' | 'video'
  /** Holds the sockets while it runs, and frames when shared memory is full; its path must be short. */
  tmpDir?: string
  /** Where finished frames lie until they are taken: memory that two processes can map. */
  sharedDir?: string
  /** Each line that SGLang writes. */
  onLine?: (line: string) => void
  /** What the engine itself has to tell the operator: crashes, restarts. */
  onNotice?: (text: string) => void
}
