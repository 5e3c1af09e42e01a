// Entry of the binary: hands argv to the command line and exits with its code.
import { runCli } from './cli/cli.ts'

process.exit(await runCli(process.argv.slice(2)))
