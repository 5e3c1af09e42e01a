// Float planes to bytes; reference.ts has the rule. One invocation makes four bytes.
override signed: bool;

// pixels of a frame, words of the output
@group(0) @binding(0) var<uniform> sizes: array<vec4u, 4>;
// Bits, not floats: what WGSL does with a NaN is open.
@group(0) @binding(1) var<storage, read> planes: array<u32>;
@group(0) @binding(2) var<storage, read_write> rgb: array<u32>;

fn rgbByte(at: u32, pixels: u32) -> u32 {
  let frame = at / (3u * pixels);
  let rest = at % (3u * pixels);
  let bits = planes[frame * 3u * pixels + (rest % 3u) * pixels + rest / 3u];
  if ((bits & 0x7fffffffu) > 0x7f800000u) {
    return 0u;
  }
  var sample = bitcast<f32>(bits);
  if (signed) {
    sample = clamp(sample, -2.0, 2.0) * 0.5 + 0.5;
  }
  return u32(clamp(sample, 0.0, 1.0) * 255.0);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let word = id.y * 4194240u + id.x;
  let pixels = sizes[0].x;
  if (word >= sizes[0].y) {
    return;
  }
  let at = 4u * word;
  rgb[word] = rgbByte(at, pixels) | (rgbByte(at + 1u, pixels) << 8u) | (rgbByte(at + 2u, pixels) << 16u) | (rgbByte(at + 3u, pixels) << 24u);
}
