// Stands in for `python -m sglang.launch_server --encoder-only`: the same flags, questions and frames, rows of the mock encoder. `--no-such-thing` ends it as argparse would.
import { startGateway } from '../../../src/engine/vision/gateway/gateway.ts'
import { itemReader } from '../../../src/engine/vision/gateway/items.ts'
import { mockEncoder } from '../../../src/engine/vision/mock/encoder.ts'
import { defaultPolicy } from '../../../src/media/input/policy.ts'
import { gridModel } from '../vision.ts'

const args = process.argv.slice(2)
if (args.includes('--no-such-thing')) {
  console.error('launch_server.py: error: unrecognized arguments: --no-such-thing')
  process.exit(2)
}
const encoder = mockEncoder({ modelPath: 'models/tiny-vl', dim: 64, msPerPicture: 30 })
await encoder.start()
const port = Number(args[args.lastIndexOf('--port') + 1])
startGateway({ encoder, hostname: '127.0.0.1', port, read: itemReader({ policy: defaultPolicy, model: gridModel() }) })
