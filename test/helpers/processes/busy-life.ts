// A process that shows life (engine/vision/onnx/life.ts) and whose own thread then does nothing else for so many milliseconds.
import { showLife } from '../../../src/engine/vision/onnx/life.ts'

showLife()
// A thread takes a moment to start.
await Bun.sleep(500)
await Bun.write(Bun.stdout, 'busy\n')
const end = performance.now() + Number(process.argv[2])
while (performance.now() < end);
