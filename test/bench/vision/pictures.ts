// Pictures for benches, each another file: JPEGs of smooth colours and some noise, on a web server of their own so that fetching is real.
import sharp from 'sharp'

/** About as large as a camera's of that size. */
export async function jpegOf(width: number, height: number, seed: number): Promise<Uint8Array> {
  const rgb = new Uint8Array(width * height * 3)
  const across = Float32Array.from({ length: width }, (_, x) => 60 * Math.sin(x / (40 + (seed % 17)) + seed))
  let state = (Math.imul(seed, 2654435761) + 1) >>> 0
  for (let y = 0, i = 0; y < height; y++) {
    const down = 128 + 50 * Math.sin(y / 70 + seed)
    for (let x = 0; x < width; x++) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0
      const level = down + across[x]! + (state >>> 28)
      rgb[i++] = level
      rgb[i++] = level + 20
      rgb[i++] = 255 - level
    }
  }
  return new Uint8Array(
    await sharp(rgb, { raw: { width, height, channels: 3 } })
      .jpeg({ quality: 90 })
      .toBuffer(),
  )
}

export interface PictureServer {
  /** Its address from now on. */
  add(file: Uint8Array): string
  stop(): Promise<void>
}

export function servePictures(): PictureServer {
  const files: Uint8Array[] = []
  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    fetch: (request) => {
      const file = files[Number(new URL(request.url).pathname.slice(1))]
      return file === undefined ? new Response('no', { status: 404 }) : new Response(file as Uint8Array<ArrayBuffer>)
    },
  })
  return {
    add: (file) => `http://127.0.0.1:${server.port}/${files.push(file) - 1}`,
    stop: () => server.stop(true),
  }
}
