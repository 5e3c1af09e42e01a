// `dynamo-sglang version`.
import { version } from '../../package.json'

export { version }

/** Prints the product's version, Bun's and the platform; returns exit code 0. */
export function printVersion(): number {
  process.stdout.write(`dynamo-sglang ${version} (bun ${Bun.version}, ${process.platform}-${process.arch})\n`)
  return 0
}
