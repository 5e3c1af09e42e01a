import { expect, test } from 'bun:test'
import { encoderArgs } from '../../../src/serve/vision/encoder-args.ts'

test('an encoder beside an engine gets what says how a picture becomes rows, on a GPU of its own', () => {
  const line =
    '--model-path m --tp 2 --dtype=bfloat16 --mem-fraction-static 0.9 --trust-remote-code --port 3 --mm-attention-backend fa3 --page-size 16'
  expect(encoderArgs(line.split(' '), 2).join(' ')).toBe(
    '--model-path m --dtype=bfloat16 --trust-remote-code --mm-attention-backend fa3 --base-gpu-id 2',
  )
  expect(encoderArgs(['--model-path', 'm', '--device', 'cpu'], undefined).join(' ')).toBe('--model-path m --device cpu')
})
