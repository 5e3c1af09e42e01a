// Finished frames of one output: pixels in memory that somebody made (a mapped file, a plain array) and one owner gives back.

/** `rgb24`: 3 bytes a pixel. `yuv420p`: planes Y, U, V as BT.709 limited range, both sizes even. */
export type PixelFormat = 'rgb24' | 'yuv420p'

export interface Frames {
  readonly format: PixelFormat
  readonly width: number
  readonly height: number
  /** How many there will be; those not told yet hold nothing. */
  readonly count: number
  /** Pixels of one frame, row-major, without padding; good until `release`. */
  frame(index: number): Uint8Array
  /** Gives the memory back. Idempotent. */
  release(): void
}

/** Bytes of one frame. */
export function frameBytes(format: PixelFormat, width: number, height: number): number {
  return format === 'rgb24' ? width * height * 3 : width * height * 1.5
}

/** Frames in one array, `count` times frameBytes long; `release` defaults to nothing. */
export function framesIn(
  bytes: Uint8Array,
  shape: { format: PixelFormat; width: number; height: number; count: number },
  release: () => void = () => {},
): Frames {
  const size = frameBytes(shape.format, shape.width, shape.height)
  let held: Uint8Array | undefined = bytes
  return {
    ...shape,
    frame(index) {
      if (held === undefined) throw new Error('these frames were given back')
      return held.subarray(index * size, (index + 1) * size)
    },
    release() {
      if (held === undefined) return
      held = undefined
      release()
    },
  }
}
