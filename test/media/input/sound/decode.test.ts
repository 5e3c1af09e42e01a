// Sounds of strangers: plain WAV without a decoder, everything else by ffmpeg, and what is refused.
import { describe, expect, test } from 'bun:test'
import { decodeSound, type SoundContext } from '../../../../src/media/input/sound/decode.ts'
import { wavFile } from '../../../../src/media/input/sound/wav.ts'
import { hasFfmpeg } from '../../../helpers/clips.ts'
import { soundAs, toneOf } from '../../../helpers/sounds.ts'

const context: SoundContext = {
  limits: { ffmpeg: 'ffmpeg', timeoutMs: 20_000 },
  rate: 16_000,
  maxSecs: 2,
  param: 'here',
  signal: new AbortController().signal,
}
const without = { ...context, limits: { ...context.limits, ffmpeg: null } }
const refusal = (bytes: Uint8Array, using = context) =>
  decodeSound(bytes, using).then(
    () => undefined,
    ({ code, param, message }) => ({ code, param, message }),
  )
const invalid = (words: string) => ({ code: 'invalid_image', param: 'here', message: expect.stringContaining(words) })

test('a plain WAV keeps its samples, loses its notes, and needs no ffmpeg', async () => {
  const plain = toneOf(0.5, 440)
  expect(await decodeSound(plain, without)).toEqual({ file: plain, count: 8000, container: 'WAV' })
  const note = Buffer.from('LIST\x04\x00\x00\x00note', 'latin1')
  expect((await decodeSound(Buffer.concat([plain.subarray(0, 36), note, plain.subarray(36)]), without)).file).toEqual(plain)
})

test('what is refused without a decoder', async () => {
  expect(await refusal(wavFile(new Uint8Array(), 16_000, false))).toEqual(invalid('is empty'))
  expect(await refusal(toneOf(2.01, 440))).toEqual(invalid('is longer than 2 seconds'))
  expect(await refusal(new TextEncoder().encode('#EXTM3U\nfile:///etc/passwd'))).toEqual(invalid('is no sound file; read are WAV, FLAC'))
  expect(await refusal(new TextEncoder().encode('%PDF-1.7'))).toEqual(invalid('is a PDF document'))
  expect(await refusal(new Uint8Array())).toEqual(invalid('is no sound file'))
  expect(await refusal(toneOf(1, 440, 44_100), without)).toMatchObject({ code: 'unsupported_parameter', param: 'here' })
})

describe.skipIf(!hasFfmpeg())('by ffmpeg', () => {
  const tone = toneOf(1, 440)
  test.each<[string, string[]]>([
    ['WAV of 44.1 kHz', ['-ar', '44100', 'wav']],
    ['WAV of two channels', ['-ac', '2', 'wav']],
    ['FLAC', ['flac']],
    ['Ogg', ['-c:a', 'libopus', 'ogg']],
    ['MP3', ['mp3']],
    ['AAC', ['adts']],
    ['WebM', ['-c:a', 'libopus', 'webm']],
  ])('%s', async (_, words) => {
    const { file, count } = await decodeSound(soundAs(tone, ...words), context)
    expect(file.length).toBe(44 + 4 * count)
    // Some codecs fill their last frame.
    expect(Math.abs(count - 16_000)).toBeLessThan(1700)
  })

  test('cut off, too long, or without sound', async () => {
    const flac = soundAs(tone, 'flac')
    expect(await refusal(flac.subarray(0, 60))).toEqual(invalid('is a broken or cut-off FLAC file'))
    expect(await refusal(flac.subarray(0, flac.length / 2))).toEqual(invalid('is a broken or cut-off FLAC file'))
    expect(await refusal(soundAs(toneOf(3, 440), 'mp3'))).toEqual(invalid('is longer than 2 seconds'))
    expect(await refusal(Buffer.concat([Buffer.from('ID3'), Buffer.alloc(4000, 7)]))).toEqual(invalid('is a broken or cut-off MP3 file'))
  })
})
