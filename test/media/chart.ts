// A colour chart: what every output format must bring back, and what independent programs read from a file.

const side = 32

/** Red, green, blue, white, black, and greys from dark to light. */
export const patches: readonly (readonly [number, number, number])[] = [
  [255, 0, 0],
  [0, 255, 0],
  [0, 0, 255],
  [255, 255, 255],
  [0, 0, 0],
  ...Array.from({ length: 11 }, (_, i) => [25 * i + 2, 25 * i + 2, 25 * i + 2] as const),
]

/** Patches without colour: white, black and the ramp. */
export const greys: readonly number[] = patches.flatMap(([r, g, b], i) => (r === g && g === b ? [i] : []))

export const chart = { width: 4 * side, height: 4 * side, rgb: draw() }

function draw(): Uint8Array {
  const width = 4 * side
  const rgb = new Uint8Array(width * width * 3)
  for (let y = 0; y < width; y++) {
    for (let x = 0; x < width; x++) rgb.set(patches[4 * Math.floor(y / side) + Math.floor(x / side)]!, 3 * (y * width + x))
  }
  return rgb
}

/** The largest difference of any channel between the chart's patches and the middles of what was read, rgb24. */
export function worstError(rgb: Uint8Array, width = chart.width, only: readonly number[] = [...patches.keys()]): number {
  let worst = 0
  for (const i of only) {
    const colour = patches[i]!
    const at = 3 * ((Math.floor(i / 4) * side + side / 2) * width + (i % 4) * side + side / 2)
    for (let c = 0; c < 3; c++) worst = Math.max(worst, Math.abs(rgb[at + c]! - colour[c]!))
  }
  return worst
}

export const hasFfmpeg = Bun.which('ffmpeg') !== null && Bun.which('ffprobe') !== null

/** All frames of a file as rgb24, decoded by ffmpeg: by the file's own tags, or forced to BT.709 limited. */
export function decodeByFfmpeg(bytes: Uint8Array, matrix?: 'bt709'): Uint8Array {
  const scale = `scale=${matrix ? `in_color_matrix=${matrix}:in_range=tv:` : ''}flags=accurate_rnd+full_chroma_int+full_chroma_inp`
  return read(['ffmpeg', '-v', 'error', '-i', '-', '-vf', scale, '-f', 'rawvideo', '-pix_fmt', 'rgb24', '-'], bytes)
}

/** What ffprobe says of the first stream. */
export function probe(bytes: Uint8Array): Record<string, string | number> {
  const text = read(['ffprobe', '-v', 'error', '-count_frames', '-show_streams', '-of', 'json', '-'], bytes).toString()
  return JSON.parse(text).streams[0]
}

function read(command: string[], input: Uint8Array): Buffer {
  const result = Bun.spawnSync(command, { stdin: input })
  if (result.exitCode !== 0) throw new Error(`${command[0]}: ${result.stderr}`)
  return result.stdout
}
