// Cubic interpolation of normalised values, in the order of tiles, rounded to bfloat16; taps.ts has positions and weights. Sums are float32 in the order of the
// device, so that an answer may be the next bfloat16.

// Width, tile, columns of tiles, samples.
@group(0) @binding(0) var<uniform> sizes: array<vec4u, 4>;
@group(0) @binding(1) var<storage, read> source: array<u32>;
@group(0) @binding(2) var<storage, read> levels: array<f32>;
@group(0) @binding(3) var<storage, read> columnsAt: array<vec4u>;
@group(0) @binding(4) var<storage, read> columnWeights: array<vec4f>;
@group(0) @binding(5) var<storage, read> rowsAt: array<vec4u>;
@group(0) @binding(6) var<storage, read> rowWeights: array<vec4f>;
@group(0) @binding(7) var<storage, read_write> result: array<u32>;

fn levelOf(row: u32, column: u32, channel: u32) -> f32 {
  let at = 3u * (row * sizes[0].x + column) + channel;
  return levels[256u * channel + ((source[at >> 2u] >> ((at & 3u) << 3u)) & 255u)];
}

fn inRow(row: u32, x: u32, channel: u32) -> f32 {
  let at = columnsAt[x];
  let w = columnWeights[x];
  return w.x * levelOf(row, at.x, channel) + w.y * levelOf(row, at.y, channel) + w.z * levelOf(row, at.z, channel) + w.w * levelOf(row, at.w, channel);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let sample = id.y * 4194240u + id.x;
  if (sample >= sizes[0].w) {
    return;
  }
  let tile = sizes[0].y;
  let inTile = sample % (tile * tile);
  let plane = sample / (tile * tile);
  let channel = plane % 3u;
  let number = plane / 3u;
  let x = (number % sizes[0].z) * tile + inTile % tile;
  let y = (number / sizes[0].z) * tile + inTile / tile;
  let at = rowsAt[y];
  let w = rowWeights[y];
  let sum = w.x * inRow(at.x, x, channel) + w.y * inRow(at.y, x, channel) + w.z * inRow(at.z, x, channel) + w.w * inRow(at.w, x, channel);
  let bits = bitcast<u32>(sum);
  result[sample] = (bits + 0x7fffu + ((bits >> 16u) & 1u)) & 0xffff0000u;
}
