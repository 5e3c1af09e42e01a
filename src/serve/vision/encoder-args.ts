// What SGLang's encoder server is told when it runs beside a language engine: of the engine's arguments those that say how a picture becomes rows.

/** With the values that follow. */
const shared: ReadonlySet<string> = new Set([
  ...['--model-path', '--model', '--revision', '--trust-remote-code', '--load-format', '--dtype', '--device', '--download-dir'],
  ...['--mm-attention-backend', '--attention-backend', '--image-processor-backend', '--mm-process-config', '--limit-mm-data-per-request'],
  ...['--disable-fast-image-processor', '--keep-mm-feature-on-device', '--json-model-override-args', '--model-impl'],
])

/** `gpu`: the first one that no language engine has; undefined: there are none. */
export function encoderArgs(args: readonly string[], gpu: number | undefined): string[] {
  const kept: string[] = []
  let keeps = false
  for (const word of args) {
    if (word.startsWith('--')) keeps = shared.has(word.split('=', 1)[0]!)
    if (keeps) kept.push(word)
  }
  return gpu === undefined ? kept : [...kept, '--base-gpu-id', String(gpu)]
}
