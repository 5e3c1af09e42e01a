// The sharpening after the resize; reference.ts has the meaning. Packed RGB in and out, four bytes an invocation.
override sharpness: i32;

// words of the output, width, height
@group(0) @binding(0) var<uniform> sizes: array<vec4u, 4>;
@group(0) @binding(1) var<storage, read> smooth_: array<u32>;
@group(0) @binding(2) var<storage, read_write> sharp: array<u32>;

fn byteOf(at: u32) -> i32 {
  return i32((smooth_[at >> 2u] >> ((at & 3u) << 3u)) & 255u);
}

fn sharpByte(at: u32, width: u32, height: u32) -> u32 {
  let stride = 3u * width;
  let y = at / stride;
  // Past the picture only the padding of the last word.
  if (y >= height) {
    return 0u;
  }
  let column = at % stride;
  let center = byteOf(at);
  let above = byteOf(at - select(0u, stride, y > 0u));
  let below = byteOf(at + select(0u, stride, y + 1u < height));
  let left = byteOf(at - select(0u, 3u, column >= 3u));
  let right = byteOf(at + select(0u, 3u, column + 3u < stride));
  let steep = center + ((sharpness * (4 * center - above - below - left - right) + 32) >> 6u);
  let low = min(min(min(above, below), min(left, right)), center);
  let high = max(max(max(above, below), max(left, right)), center);
  return u32(clamp(steep, low, high));
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let word = id.y * 4194240u + id.x;
  let width = sizes[0].y;
  let height = sizes[0].z;
  if (word >= sizes[0].x) {
    return;
  }
  let at = 4u * word;
  sharp[word] = sharpByte(at, width, height) | (sharpByte(at + 1u, width, height) << 8u) |
    (sharpByte(at + 2u, width, height) << 16u) | (sharpByte(at + 3u, width, height) << 24u);
}
