// RGB to YUV 4:2:0; reference.ts has the formula. One invocation makes four bytes of the planes, which lie one after another without padding.

// words of the output, width, height
@group(0) @binding(0) var<uniform> sizes: array<vec4u, 4>;
@group(0) @binding(1) var<storage, read> rgb: array<u32>;
@group(0) @binding(2) var<storage, read_write> planes: array<u32>;

var<private> width: u32;
var<private> height: u32;

fn byteOf(at: u32) -> i32 {
  return i32((rgb[at >> 2u] >> ((at & 3u) << 3u)) & 255u);
}

fn pixel(x: u32, y: u32) -> vec3i {
  let at = 3u * (y * width + x);
  return vec3i(byteOf(at), byteOf(at + 1u), byteOf(at + 2u));
}

fn dot3(a: vec3i, b: vec3i) -> i32 {
  return a.x * b.x + a.y * b.y + a.z * b.z;
}

// Weights 1 2 1 over three columns of one row, edges repeated.
fn rowSum(x: u32, y: u32) -> vec3i {
  return pixel(max(x, 1u) - 1u, y) + 2 * pixel(x, y) + pixel(min(x + 1u, width - 1u), y);
}

fn planeByte(at: u32) -> u32 {
  let pixels = width * height;
  if (at < pixels) {
    return u32((dot3(vec3i(5983, 20127, 2032), pixel(at % width, at / width)) + 540672) >> 15u);
  }
  let chromaWidth = (width + 1u) / 2u;
  let chroma = chromaWidth * ((height + 1u) / 2u);
  let second = at - pixels >= chroma;
  let sample = select(at - pixels, at - pixels - chroma, second);
  let x = 2u * (sample % chromaWidth);
  let y = 2u * (sample / chromaWidth);
  // Past the last sample only the padding of the last word.
  if (y >= height) {
    return 0u;
  }
  let sums = rowSum(x, y) + rowSum(x, min(y + 1u, height - 1u));
  let weights = select(vec3i(-3298, -11094, 14392), vec3i(14392, -13072, -1320), second);
  return u32((dot3(weights, sums) + 33685504) >> 18u);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let word = id.y * 4194240u + id.x;
  if (word >= sizes[0].x) {
    return;
  }
  width = sizes[0].y;
  height = sizes[0].z;
  let at = 4u * word;
  planes[word] = planeByte(at) | (planeByte(at + 1u) << 8u) | (planeByte(at + 2u) << 16u) | (planeByte(at + 3u) << 24u);
}
