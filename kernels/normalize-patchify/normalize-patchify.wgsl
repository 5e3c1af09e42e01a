// Bytes of pictures in the order of patches, as they are (`bytes`) or through a table (`floats`). reference.ts has the order.

// Width, height, patch, merge | temporal, frames, samples.
@group(0) @binding(0) var<uniform> sizes: array<vec4u, 4>;
@group(0) @binding(1) var<storage, read> source: array<u32>;

// Channel in the high word's place: (byte of the source, channel) of sample `at`.
fn sourceOf(at: u32) -> vec2u {
  let width = sizes[0].x;
  let height = sizes[0].y;
  let patchSide = sizes[0].z;
  let merge = sizes[0].w;
  let temporal = sizes[1].x;
  let blocksX = width / (patchSide * merge);
  let blocksY = height / (patchSide * merge);
  var rest = at;
  let x = rest % patchSide;
  rest /= patchSide;
  let y = rest % patchSide;
  rest /= patchSide;
  let time = rest % temporal;
  rest /= temporal;
  let channel = rest % 3u;
  rest /= 3u;
  let inX = rest % merge;
  rest /= merge;
  let inY = rest % merge;
  rest /= merge;
  let blockX = rest % blocksX;
  rest /= blocksX;
  let blockY = rest % blocksY;
  var frame = 0u;
  if (sizes[1].y > 1u) {
    frame = (rest / blocksY) * temporal + time;
  }
  let pixelY = (blockY * merge + inY) * patchSide + y;
  let pixelX = (blockX * merge + inX) * patchSide + x;
  return vec2u(3u * ((frame * height + pixelY) * width + pixelX) + channel, channel);
}

fn byteOf(at: u32) -> u32 {
  return (source[at >> 2u] >> ((at & 3u) << 3u)) & 255u;
}

@group(0) @binding(2) var<storage, read> levels: array<u32>;
@group(0) @binding(3) var<storage, read_write> numbers: array<u32>;

@compute @workgroup_size(64)
fn floats(@builtin(global_invocation_id) id: vec3u) {
  let sample = id.y * 4194240u + id.x;
  if (sample >= sizes[1].z) {
    return;
  }
  let place = sourceOf(sample);
  numbers[sample] = levels[256u * place.y + byteOf(place.x)];
}

@group(0) @binding(2) var<storage, read_write> packedBytes: array<u32>;

@compute @workgroup_size(64)
fn bytes(@builtin(global_invocation_id) id: vec3u) {
  let word = id.y * 4194240u + id.x;
  let samples = sizes[1].z;
  if (4u * word >= samples) {
    return;
  }
  var packed = 0u;
  for (var i = 0u; i < min(4u, samples - 4u * word); i++) {
    packed |= byteOf(sourceOf(4u * word + i).x) << (8u * i);
  }
  packedBytes[word] = packed;
}
