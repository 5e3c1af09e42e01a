// One axis of a picture in another size; taps.ts has the weights. `bytes`: whole weights, sums of at most 31 bits, so every device has the same answer.
// `floats`: weights and sums in float32, rows first, which stay floats until the columns are done; a device may fuse or reorder, so an answer may be one level away.

override down: u32;

// Width, new width, taps, new samples | bits.
@group(0) @binding(0) var<uniform> sizes: array<vec4u, 4>;
@group(0) @binding(1) var<storage, read> source: array<u32>;
@group(0) @binding(2) var<storage, read> firsts: array<u32>;
@group(0) @binding(3) var<storage, read> weights: array<u32>;
@group(0) @binding(4) var<storage, read_write> result: array<u32>;

fn byteOf(at: u32) -> u32 {
  return (source[at >> 2u] >> ((at & 3u) << 3u)) & 255u;
}

fn valueOf(at: u32) -> f32 {
  if (down == 1u) {
    return bitcast<f32>(source[at]);
  }
  return f32(byteOf(at));
}

// For new sample `sample`: its first source sample, the way to the next, and its first weight.
fn tapsOf(sample: u32) -> vec3u {
  let newStride = 3u * sizes[0].y;
  let row = sample / newStride;
  let column = sample % newStride;
  if (down == 1u) {
    return vec3u(firsts[row] * newStride + column, newStride, row * sizes[0].z);
  }
  let x = column / 3u;
  return vec3u(3u * (row * sizes[0].x + firsts[x]) + column % 3u, 3u, x * sizes[0].z);
}

fn wholeSum(sample: u32) -> u32 {
  let taps = tapsOf(sample);
  let bits = sizes[1].x;
  var sum = 1 << (bits - 1u);
  for (var tap = 0u; tap < sizes[0].z; tap++) {
    sum += i32(weights[taps.z + tap]) * i32(byteOf(taps.x + tap * taps.y));
  }
  return u32(clamp(sum >> bits, 0, 255));
}

fn floatSum(sample: u32) -> f32 {
  let taps = tapsOf(sample);
  var sum = 0.0;
  for (var tap = 0u; tap < sizes[0].z; tap++) {
    sum += bitcast<f32>(weights[taps.z + tap]) * valueOf(taps.x + tap * taps.y);
  }
  return sum;
}

@compute @workgroup_size(64)
fn bytes(@builtin(global_invocation_id) id: vec3u) {
  let word = id.y * 4194240u + id.x;
  let samples = sizes[0].w;
  if (4u * word >= samples) {
    return;
  }
  var packed = 0u;
  for (var i = 0u; i < min(4u, samples - 4u * word); i++) {
    packed |= wholeSum(4u * word + i) << (8u * i);
  }
  result[word] = packed;
}

@compute @workgroup_size(64)
fn floats(@builtin(global_invocation_id) id: vec3u) {
  let word = id.y * 4194240u + id.x;
  let samples = sizes[0].w;
  if (down == 0u) {
    if (word < samples) {
      result[word] = bitcast<u32>(floatSum(word));
    }
    return;
  }
  if (4u * word >= samples) {
    return;
  }
  var packed = 0u;
  for (var i = 0u; i < min(4u, samples - 4u * word); i++) {
    packed |= u32(clamp(round(floatSum(4u * word + i)), 0.0, 255.0)) << (8u * i);
  }
  result[word] = packed;
}
