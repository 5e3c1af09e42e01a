// Latents to RGB; reference.ts has the meaning. One invocation makes four pixels, three words. Sums are 32-bit floats: a byte may be one off.
override channels: u32;

// pixels
@group(0) @binding(0) var<uniform> sizes: array<vec4u, 4>;
@group(0) @binding(1) var<storage, read> latents: array<f32>;
// For each channel its factors of R, G and B; then the bias.
@group(0) @binding(2) var<storage, read> factors: array<f32>;
@group(0) @binding(3) var<storage, read_write> rgb: array<u32>;

fn factor(at: u32) -> vec3f {
  return vec3f(factors[3u * at], factors[3u * at + 1u], factors[3u * at + 2u]);
}

fn color(pixel: u32, pixels: u32) -> vec3u {
  if (pixel >= pixels) {
    return vec3u();
  }
  var sum = factor(channels);
  for (var channel = 0u; channel < channels; channel++) {
    sum += latents[channel * pixels + pixel] * factor(channel);
  }
  return vec3u(floor(clamp(sum * 0.5 + 0.5, vec3f(0.0), vec3f(1.0)) * 255.0 + 0.5));
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let quad = id.y * 4194240u + id.x;
  let pixels = sizes[0].x;
  if (4u * quad >= pixels) {
    return;
  }
  let a = color(4u * quad, pixels);
  let b = color(4u * quad + 1u, pixels);
  let c = color(4u * quad + 2u, pixels);
  let d = color(4u * quad + 3u, pixels);
  rgb[3u * quad] = a.x | (a.y << 8u) | (a.z << 16u) | (b.x << 24u);
  rgb[3u * quad + 1u] = b.y | (b.z << 8u) | (c.x << 16u) | (c.y << 24u);
  rgb[3u * quad + 2u] = c.z | (d.x << 8u) | (d.y << 16u) | (d.z << 24u);
}
