// Bundled by build.test.ts.
import { encodeImage } from '../../src/media/image/encode.ts'

const png = await encodeImage(new Uint8Array(12).fill(7), { width: 2, height: 2 }, { type: 'png' })
console.log(png.contentType, png.bytes.length > 50)
