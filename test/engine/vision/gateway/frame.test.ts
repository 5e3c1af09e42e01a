// The frames, byte by byte against recordings of a live exchange, and read by SGLang itself.
import { expect, test } from 'bun:test'
import { join } from 'node:path'
import { errorFrame, type Part, releaseOf, rowsFrame } from '../../../../src/engine/vision/gateway/frame.ts'
import { need } from '../../../helpers/need.ts'
import { pythonWith, run } from '../../../helpers/python.ts'

const recorded = async (name: string) =>
  new Uint8Array(await Bun.file(join(import.meta.dir, '../../../fixtures/vision-split', name)).arrayBuffer())
const part = (reqId: string): Part => ({ reqId, numParts: 1, partIdx: 0, modality: 'IMAGE' })
const two = {
  grids: [
    [1, 6, 8],
    [1, 10, 14],
  ] as const,
  type: 'float32' as const,
  rows: 47,
  dim: 64,
}

test('frames are those that a live 0.5.23 took', async () => {
  expect(rowsFrame(part('t1795237190521917587_local_part_0'), two, '0.5.23')).toEqual(await recorded('ours-two.bin'))
  const said = 'image 0: Input buffer has corrupt header:'
  const error = await recorded('ours-error.bin')
  const reqId = /t\d+_local_part_0/.exec(Buffer.from(error).toString('latin1'))![0]
  expect(errorFrame(part(reqId), said, 400, '0.5.23')).toEqual(error)
})

test('each release gets the frame that it reads', () => {
  const names = [undefined, '0.5.6', '0.5.9', '0.5.10', '0.5.18', '0.5.19', '0.5.21', '0.5.23', '0.5.23.post1', '0.6.0', 'dev'].map(
    releaseOf,
  )
  expect(names).toEqual(['0.5.19', '0.5.6', '0.5.6', '0.5.10', '0.5.10', '0.5.19', '0.5.19', '0.5.23', '0.5.23', '0.5.23', '0.5.19'])
})

test('SGLang’s own restricted unpickler reads them, and its own aggregation takes them', async () => {
  const python = pythonWith('sglang')
  if (!need('SGLang', python !== undefined)) return
  const clip = { ...two, grids: [[4, 6, 8]] as const, rows: 48, secondsPerGrid: [1], timestamps: [[0.25, 1.25, 2.25, 3.25]] }
  const frames = [
    rowsFrame(part('a_local_part_0'), two, '0.5.19'),
    rowsFrame(part('a_local_part_0'), { ...two, type: 'bfloat16' }, '0.5.23'),
    rowsFrame({ ...part('a_local_part_0'), modality: 'VIDEO' }, clip, '0.5.19'),
    errorFrame(part('a_local_part_0'), 'no picture', 400, '0.5.19'),
  ].map((frame) => Buffer.from(frame).toString('hex'))
  const script = `
import sys, json, torch
from sglang.srt.utils.common import safe_pickle_loads
from sglang.srt.disaggregation.encoder.receiver import MultiModalEmbeddingData
out = []
for text in sys.argv[1:]:
    data = safe_pickle_loads(bytes.fromhex(text))
    if data.error_msg is not None:
        out.append([data.error_msg, data.error_code]); continue
    data.embedding = torch.zeros(data.shape, dtype=data.dtype)
    whole = MultiModalEmbeddingData.from_embedding_data(data, model_type="qwen3_vl")
    meta = {name: value.tolist() if hasattr(value, "tolist") else value for name, value in whole.get_mm_extra_meta().items()}
    out.append([data.req_id, data.modality.name, str(data.dtype), data.shape, whole.ready, meta])
print("JSON" + json.dumps(out))`
  const { stdout, stderr, code } = await run([python!, '-c', script, ...frames], 120_000, { SGLANG_USE_CPU_ENGINE: '1' })
  expect(code, stderr).toBe(0)
  const grids = { img_grid_thw: two.grids, video_grid_thw: null, audio_feature_lens: null }
  const clipMeta = {
    img_grid_thw: null,
    video_grid_thw: clip.grids,
    audio_feature_lens: null,
    video_timestamps: clip.timestamps,
    second_per_grid_ts: [1],
  }
  expect(JSON.parse(/JSON(.*)/.exec(stdout)![1]!)).toEqual([
    ['a_local_part_0', 'IMAGE', 'torch.float32', [47, 64], true, grids],
    ['a_local_part_0', 'IMAGE', 'torch.bfloat16', [47, 64], true, grids],
    ['a_local_part_0', 'VIDEO', 'torch.float32', [48, 64], true, clipMeta],
    ['no picture', 400],
  ])
}, 180_000)
