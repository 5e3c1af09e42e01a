// A checkpoint with a real tower's shape and no numbers in it: zeros, which take no room on disk, and which a processor multiplies as slowly as others.
import { mkdirSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export interface TowerShape {
  depth: number
  hidden: number
  intermediate: number
  heads: number
  patch: number
  /** Width of its rows. */
  out: number
}

/** Qwen2.5-VL's, the same in 3B, 7B and 72B but for `out`. */
const tower: TowerShape = { depth: 32, hidden: 1280, intermediate: 3420, heads: 16, patch: 14, out: 3584 }

/** Writes config.json and model.safetensors (1.35 GB, sparse) into `folder`. */
export function writeRealShape(folder: string): void {
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config()))
  writeZeros(folder, tower)
}

/** Writes model.safetensors (sparse) with a tower of Qwen2.5-VL's kind in this shape. */
export function writeZeros(folder: string, { depth, hidden, intermediate, patch, out }: TowerShape): void {
  const shapes: Record<string, number[]> = { 'patch_embed.proj.weight': [hidden, 3, 2, patch, patch] }
  const linear = (name: string, outputs: number, inputs: number) => {
    shapes[`${name}.weight`] = [outputs, inputs]
    shapes[`${name}.bias`] = [outputs]
  }
  for (let i = 0; i < depth; i++) {
    for (const norm of ['norm1', 'norm2']) shapes[`blocks.${i}.${norm}.weight`] = [hidden]
    linear(`blocks.${i}.attn.qkv`, 3 * hidden, hidden)
    linear(`blocks.${i}.attn.proj`, hidden, hidden)
    linear(`blocks.${i}.mlp.gate_proj`, intermediate, hidden)
    linear(`blocks.${i}.mlp.up_proj`, intermediate, hidden)
    linear(`blocks.${i}.mlp.down_proj`, hidden, intermediate)
  }
  shapes['merger.ln_q.weight'] = [hidden]
  linear('merger.mlp.0', 4 * hidden, 4 * hidden)
  linear('merger.mlp.2', out, 4 * hidden)
  let at = 0
  const header = Object.entries(shapes).map(([name, shape]) => {
    const start = at
    at += 2 * shape.reduce((product, side) => product * side, 1)
    return [`visual.${name}`, { dtype: 'BF16', shape, data_offsets: [start, at] }]
  })
  const json = Buffer.from(JSON.stringify(Object.fromEntries(header)))
  const head = Buffer.alloc(8 + json.length)
  head.writeBigUInt64LE(BigInt(json.length))
  json.copy(head, 8)
  const path = join(folder, 'model.safetensors')
  writeFileSync(path, head)
  truncateSync(path, head.length + at)
}

function config() {
  const { depth, hidden, intermediate, heads, patch, out } = tower
  return {
    model_type: 'qwen2_5_vl',
    torch_dtype: 'bfloat16',
    vision_config: {
      ...{
        depth,
        hidden_act: 'silu',
        hidden_size: hidden,
        intermediate_size: intermediate,
        num_heads: heads,
        in_chans: 3,
        out_hidden_size: out,
      },
      ...{ patch_size: patch, spatial_merge_size: 2, temporal_patch_size: 2, window_size: 112, fullatt_block_indexes: [7, 15, 23, 31] },
    },
  }
}

/** Multiplications and additions of one picture of so many patches, as a model card counts them. */
export function flops(patches: number): number {
  const { depth, hidden, intermediate, patch, out } = tower
  const block = 4 * hidden * hidden + 3 * hidden * intermediate
  const linear = 3 * 2 * patch * patch * hidden + depth * block + (4 * hidden * (4 * hidden + out)) / 4
  const attention = (4 * patches + (depth - 4) * 64) * 2 * hidden
  return 2 * patches * (linear + attention)
}
