// Entry of the binary: hands argv to the command line and exits with its code. In a thread it is the thread's own work (media/vision/crew).
import { runCli } from './cli/cli.ts'

if (Bun.isMainThread) process.exit(await runCli(process.argv.slice(2)))
else (await import('./media/vision/crew/worker.ts')).work()
