// Frames of odd sizes, made even.

/** `rgb`: [height, width, 3]. Returns it with the last column and row repeated until both sizes are even. */
export function padToEven(rgb: Uint8Array, width: number, height: number): Uint8Array {
  const wide = width + (width % 2)
  const high = height + (height % 2)
  const padded = new Uint8Array(wide * high * 3)
  for (let y = 0; y < high; y++) {
    const from = 3 * width * Math.min(y, height - 1)
    const to = 3 * wide * y
    padded.set(rgb.subarray(from, from + 3 * width), to)
    if (wide > width) padded.copyWithin(to + 3 * width, to + 3 * (width - 1), to + 3 * width)
  }
  return padded
}
