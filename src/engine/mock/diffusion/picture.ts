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

/** One finished picture: rgb24, row-major. Ramp values are round(255 * x / (width - 1)). */
export function drawPicture(request: PictureRequest): Uint8Array {
  const { width, height } = request
  const rgb = new Uint8Array(width * height * 3)
  const { ramp, rampRows, strip, stripRows } = layout(height)
  drawField(rgb, width, ramp, fieldColours(request))
  const colours = Object.values(rampColours)
  for (let y = ramp; y < strip; y++) {
    const [r, g, b] = colours[Math.min(3, Math.floor((y - ramp) / Math.max(1, rampRows)))]!
    for (let x = 0, at = y * width * 3; x < width; x++, at += 3) {
      const value = Math.round((255 * x) / Math.max(1, width - 1))
      rgb[at] = r * value
      rgb[at + 1] = g * value
      rgb[at + 2] = b * value
    }
  }
  const lines = marks(request)
  for (let y = strip; y < height; y++) {
    const bits = lines[Math.min(1, Math.floor((y - strip) / Math.max(1, stripRows)))]!
    for (let x = 0, at = y * width * 3; x < width; x++, at += 3) {
      const cell = Math.floor((x * cells) / width)
      rgb.fill((bits >>> (cells - 1 - cell)) & 1 ? 255 : 0, at, at + 3)
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

function drawField(rgb: Uint8Array, width: number, rows: number, [first, right, below]: number[][]): void {
  for (let y = 0, at = 0; y < rows; y++) {
    const down = y / Math.max(1, rows - 1)
    for (let x = 0; x < width; x++) {
      const along = x / Math.max(1, width - 1)
      for (let c = 0; c < 3; c++, at++) {
        const value = first![c]! + (right![c]! - first![c]!) * along + (below![c]! - first![c]!) * down
        rgb[at] = Math.max(0, Math.min(255, Math.round(value)))
      }
    }
  }
}
