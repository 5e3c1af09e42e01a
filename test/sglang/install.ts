// Packages into a Python of our own. uv is several times faster than pip (it unpacks on all cores and compiles nothing in advance); where it cannot be had, or
// cannot do what pip was told to, pip installs the same.

const uvPin = 'uv==0.13.9'

/** Installs into `python`'s environment, with arguments that pip and uv have in common; throws when both fail. */
export function install(python: string, args: readonly string[]): void {
  const pip = (...more: string[]) => run([python, '-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-input', ...more])
  const env = uvEnv(python)
  if (
    env !== undefined &&
    pip(uvPin) &&
    run([python, '-m', 'uv', 'pip', 'install', '--quiet', '--no-cache', '--python', python, ...args], env)
  )
    return
  if (!pip('--no-cache-dir', ...args)) throw new Error(`pip cannot install ${args.join(' ')}`)
}

/** What uv must be told of pip's settings, which it does not read; undefined when it has no word for them. */
function uvEnv(python: string): Record<string, string> | undefined {
  const told = Bun.spawnSync([python, '-m', 'pip', 'config', 'list'], { stderr: 'ignore' }).stdout.toString()
  const setting = (name: string) => new RegExp(`^[^=]*\\.${name}='(.*)'$`, 'm').exec(told)?.[1]
  if (setting('extra-index-url') !== undefined || setting('no-index') !== undefined || setting('proxy') !== undefined) return undefined
  const index = setting('index-url')
  return { UV_NO_CONFIG: '1', ...(index !== undefined && { UV_DEFAULT_INDEX: index }) }
}

function run(command: string[], more: Record<string, string> = {}): boolean {
  const env = { ...process.env, PYTHONNOUSERSITE: '1', ...more }
  return Bun.spawnSync(command, { stdin: 'ignore', stdout: 'inherit', stderr: 'inherit', env }).success
}
