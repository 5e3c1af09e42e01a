// `vision-process`: the process in which a vision tower runs (engine/vision/onnx/process.ts). Started by this program for itself.
import { showLife } from '../../engine/vision/onnx/life.ts'
import { runEncoderProcess } from '../../engine/vision/onnx/process.ts'

export async function visionProcess(): Promise<number> {
  // A Ctrl-C in the terminal reaches the whole group, a service manager's SIGTERM all processes of the service; who started us answers what runs, and ends us.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => {})
  showLife()
  const out = Bun.stdout.writer()
  await runEncoderProcess(Bun.stdin.stream(), async (parts) => {
    for (const part of parts) out.write(part)
    await out.flush()
  })
  return 0
}
