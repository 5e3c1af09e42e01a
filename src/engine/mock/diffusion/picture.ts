// The pictures that a mock engine makes: gradients from prompt and seed, ramps of pure colours to test encoders with, and a strip that says
// in black and white cells what was asked for. Clips have a white bar that moves to the right. All of it depends on the request alone.

export interface PictureRequest {
  width: number
  height: number
  /** Of this output. */
  seed: number
  steps: number
  /** Everything else that the picture depends on: prompt, guidance, LoRA, … */
  words: string
}

/** What `readPicture` finds in the strip. `words` is their hash, 24 bits. */
export interface PictureMarks {
  seed: number
  steps: number
  words: number
}

/** Where things are, in rows: the field from 0, then four ramps, then two lines of the strip, to the end. */
export function layout(height: number): { ramp: number; rampRows: number; strip: number; stripRows: number } {
  const strip = Math.floor((height * 7) / 8)
  const ramp = Math.floor(height / 2)
  return { ramp, rampRows: Math.floor((strip - ramp) / 4), strip, stripRows: Math.floor((height - strip) / 2) }
}

/** The colours that each ramp goes to from black, in order. */
export const rampColours = { red: [1, 0, 0], green: [0, 1, 0], blue: [0, 0, 1], grey: [1, 1, 1] } as const

const cells = 32

/** FNV-1a, 32 bits. */
export function hash(text: string): number {
  let value = 0x811c9dc5
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193)
  return value >>> 0
}

/** Pixels that are drawn at a stretch, a few milliseconds' work. */
const bandPixels = 1 << 18

/**
 * One finished picture: rgb24, row-major. Ramp values are round(255 * x / (width - 1)). Large ones are drawn in bands with `turn` between them, so
 * that others of this thread get theirs; rejects with what `turn` rejects with.
 */
export async function drawPicture(request: PictureRequest, turn: () => Promise<void>): Promise<Uint8Array> {
  const { width, height } = request
  const rgb = new Uint8Array(width * height * 3)
  const { ramp, strip } = layout(height)
  const rows = Math.max(1, Math.floor(bandPixels / width))
  const parts = [
    [0, ramp, drawField],
    [ramp, strip, drawRamps],
    [strip, height, drawStrip],
  ] as const
  for (const [from, to, draw] of parts) {
    for (let y = from; y < to; y += rows) {
      if (y > 0 && to - from > rows) await turn()
      draw(rgb, request, y, Math.min(to, y + rows))
    }
  }
  return rgb
}

/** Draws the bar of frame `index` of `count` over a copy of the picture: white, a sixteenth wide, in the field only. */
export function drawBar(rgb: Uint8Array, width: number, height: number, index: number, count: number): void {
  const wide = Math.max(1, Math.floor(width / 16))
  const left = barLeft(width, index, count)
  for (let y = 0; y < layout(height).ramp; y++) rgb.fill(255, (y * width + left) * 3, (y * width + left + wide) * 3)
}

/** The bar's first column in frame `index` of `count`. */
export function barLeft(width: number, index: number, count: number): number {
  const wide = Math.max(1, Math.floor(width / 16))
  return count < 2 ? 0 : Math.round(((width - wide) * index) / (count - 1))
}

/** Reads the strip back; lossy codecs are fine as long as cells keep their side of grey. Needs 32 pixels of width and 16 of height. */
export function readPicture(rgb: Uint8Array, width: number, height: number): PictureMarks {
  const { strip, stripRows } = layout(height)
  const line = (number: number) => {
    const y = strip + number * stripRows + Math.floor(stripRows / 2)
    let bits = 0
    for (let cell = 0; cell < cells; cell++) {
      const x = Math.floor(((cell + 0.5) * width) / cells)
      bits = (bits << 1) | (rgb[(y * width + x) * 3 + 1]! > 127 ? 1 : 0)
    }
    return bits >>> 0
  }
  const second = line(1)
  return { seed: line(0), steps: second >>> 24, words: second & 0xffffff }
}

function marks({ seed, steps, words }: PictureRequest): [number, number] {
  return [seed >>> 0, (((steps & 0xff) << 24) | (hash(words) & 0xffffff)) >>> 0]
}

/** Three corner colours between 32 and 223: bars and ramps stand out from them. */
function fieldColours({ seed, steps, words }: PictureRequest): number[][] {
  return [0, 1, 2].map((corner) => {
    const bits = hash(`${seed} ${steps} ${corner} ${words}`)
    return [0, 8, 16].map((shift) => 32 + (((bits >>> shift) & 0xff) * 191) / 255)
  })
}

function drawField(rgb: Uint8Array, request: PictureRequest, from: number, to: number): void {
  const { width, height } = request
  const [first, right, below] = fieldColours(request) as [number[], number[], number[]]
  const last = Math.max(1, layout(height).ramp - 1)
  for (let c = 0; c < 3; c++) {
    const start = first[c]!
    const across = right[c]! - start
    const downwards = below[c]! - start
    for (let y = from; y < to; y++) {
      const down = downwards * (y / last)
      for (let x = 0, at = y * width * 3 + c; x < width; x++, at += 3) {
        rgb[at] = Math.max(0, Math.min(255, Math.round(start + across * (x / Math.max(1, width - 1)) + down)))
      }
    }
  }
}

function drawRamps(rgb: Uint8Array, { width, height }: PictureRequest, from: number, to: number): void {
  const { ramp, rampRows } = layout(height)
  const colours = Object.values(rampColours)
  for (let y = from; y < to; y++) {
    const [r, g, b] = colours[Math.min(3, Math.floor((y - ramp) / Math.max(1, rampRows)))]!
    for (let x = 0, at = y * width * 3; x < width; x++, at += 3) {
      const value = Math.round((255 * x) / Math.max(1, width - 1))
      rgb[at] = r * value
      rgb[at + 1] = g * value
      rgb[at + 2] = b * value
    }
  }
}

function drawStrip(rgb: Uint8Array, request: PictureRequest, from: number, to: number): void {
  const { width, height } = request
  const { strip, stripRows } = layout(height)
  const lines = marks(request)
  for (let y = from; y < to; y++) {
    const bits = lines[Math.min(1, Math.floor((y - strip) / Math.max(1, stripRows)))]!
    for (let x = 0, at = y * width * 3; x < width; x++, at += 3) {
      const value = (bits >>> (cells - 1 - Math.floor((x * cells) / width))) & 1 ? 255 : 0
      rgb[at] = value
      rgb[at + 1] = value
      rgb[at + 2] = value
    }
  }
}
