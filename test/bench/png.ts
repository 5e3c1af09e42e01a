// A PNG file in bands against one piece: until it is there, the CPU it costs, its size; alone and four at once. `bun run bench png [--rounds 5] [--out FILE]`
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { encodeImage } from '../../src/media/image/encode.ts'

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '5' }, out: { type: 'string' } } })
const rounds = Number(values.rounds)
const warmUp = Math.ceil(rounds / 2)

/** Slopes under noise of so many steps; -1: one colour. */
function picture(side: number, noise: number): Uint8Array {
  let state = 1
  return Uint8Array.from({ length: 3 * side * side }, (_, at) => {
    if (noise < 0) return 90
    state = (Math.imul(state, 1103515245) + 12345) | 0
    const pixel = Math.floor(at / 3)
    return ((pixel % side) * 200) / side + ((state >>> 24) & noise) + Math.floor(pixel / side / 8) + 40 * (at % 3)
  })
}

async function measure(pixels: Uint8Array, side: number, together: number, cores: number) {
  const encode = () => encodeImage(pixels, { width: side, height: side }, { type: 'png' }, cores)
  const once = () => Promise.all(Array.from({ length: together }, encode))
  for (let i = 0; i < warmUp; i++) await once()
  const times: number[] = []
  const before = process.cpuUsage()
  for (let i = 0; i < rounds; i++) {
    const started = performance.now()
    await once()
    times.push(performance.now() - started)
  }
  const { user, system } = process.cpuUsage(before)
  const ms = times.sort((a, b) => a - b)[rounds >> 1]!
  return {
    ms: Number(ms.toFixed(1)),
    cpuMs: Number(((user + system) / 1000 / rounds / together).toFixed(1)),
    bytes: (await encode()).bytes.length,
  }
}

const rows = []
for (const [side, noise] of [
  [640, 15],
  [1024, 15],
  [1024, 0],
  [1024, -1],
  [2048, 15],
] as const) {
  const pixels = picture(side, noise)
  for (const together of [1, 4]) {
    const [one, bands] = [await measure(pixels, side, together, 1), await measure(pixels, side, together, Number.POSITIVE_INFINITY)]
    rows.push({
      side,
      noise,
      together,
      ms: one.ms,
      bandsMs: bands.ms,
      cpuMs: one.cpuMs,
      bandsCpuMs: bands.cpuMs,
      bytes: one.bytes,
      bandsBytes: bands.bytes,
    })
  }
}
console.table(rows)
const result = {
  date: new Date().toISOString(),
  command: `bun run bench png --rounds ${rounds}`,
  bun: Bun.version,
  cores: availableParallelism(),
  rounds,
  rows,
}
if (values.out !== undefined) await Bun.write(values.out, `${JSON.stringify(result, null, 2)}\n`)
