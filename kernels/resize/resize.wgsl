// Another size in two passes; taps.ts has the weights. All sums are whole numbers of at most 31 bits.

@group(0) @binding(0) var<uniform> sizes: array<vec4u, 4>;
@group(0) @binding(1) var<storage, read> source: array<u32>;
@group(0) @binding(2) var<storage, read> firsts: array<i32>;
@group(0) @binding(3) var<storage, read> weights: array<i32>;
@group(0) @binding(4) var<storage, read_write> result: array<u32>;

fn byteOf(at: u32) -> i32 {
  return i32((source[at >> 2u] >> ((at & 3u) << 3u)) & 255u);
}

fn toBytes(sum: vec3i) -> vec3u {
  return vec3u(clamp((sum + (1 << 21u)) >> vec3u(22u), vec3i(0), vec3i(255)));
}

// Rows. Sizes: width, new width, taps, new pixels. Reads packed RGB, writes one word a pixel.
@compute @workgroup_size(64)
fn across(@builtin(global_invocation_id) id: vec3u) {
  let pixel = id.y * 4194240u + id.x;
  let width = sizes[0].x;
  let newWidth = sizes[0].y;
  let count = sizes[0].z;
  if (pixel >= sizes[0].w) {
    return;
  }
  let x = pixel % newWidth;
  let first = u32(firsts[x]);
  var at = 3u * ((pixel / newWidth) * width + first);
  var sum = vec3i();
  for (var tap = 0u; tap < min(count, width - first); tap++) {
    sum += weights[x * count + tap] * vec3i(byteOf(at), byteOf(at + 1u), byteOf(at + 2u));
    at += 3u;
  }
  let bytes = toBytes(sum);
  result[pixel] = bytes.x | (bytes.y << 8u) | (bytes.z << 16u);
}

fn columnPixel(pixel: u32) -> vec3u {
  let height = sizes[0].x;
  let width = sizes[0].y;
  let count = sizes[0].z;
  if (pixel >= sizes[0].w) {
    return vec3u();
  }
  let y = pixel / width;
  let first = u32(firsts[y]);
  var at = first * width + pixel % width;
  var sum = vec3i();
  for (var tap = 0u; tap < min(count, height - first); tap++) {
    let word = source[at];
    sum += weights[y * count + tap] * vec3i(i32(word & 255u), i32((word >> 8u) & 255u), i32((word >> 16u) & 255u));
    at += width;
  }
  return toBytes(sum);
}

// Columns. Sizes: height, width, taps, new pixels. Reads one word a pixel, writes packed RGB: four pixels, three words.
@compute @workgroup_size(64)
fn down(@builtin(global_invocation_id) id: vec3u) {
  let quad = id.y * 4194240u + id.x;
  if (4u * quad >= sizes[0].w) {
    return;
  }
  let a = columnPixel(4u * quad);
  let b = columnPixel(4u * quad + 1u);
  let c = columnPixel(4u * quad + 2u);
  let d = columnPixel(4u * quad + 3u);
  result[3u * quad] = a.x | (a.y << 8u) | (a.z << 16u) | (b.x << 24u);
  result[3u * quad + 1u] = b.y | (b.z << 8u) | (c.x << 16u) | (c.y << 24u);
  result[3u * quad + 2u] = c.z | (d.x << 8u) | (d.y << 16u) | (d.z << 24u);
}
