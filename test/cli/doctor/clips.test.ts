// What `doctor` says about clips in chats, by role.
import { expect, test } from 'bun:test'
import { writeFamily } from '../../../models/vision/families.ts'
import { checkClips, checkSounds, readsClips } from '../../../src/cli/doctor/clips.ts'
import { parseSettings } from '../../../src/cli/settings/parse-settings.ts'
import { run } from '../program.ts'

const reads = (line: string, command: 'serve' | 'worker' = 'serve') => readsClips(parseSettings(line.split(' '), {}, command))

test('they are read by serve with a model that takes them; of workers only for SGLang’s own language servers', async () => {
  expect(await reads('--engine mock --model-path models/tiny-vl')).toBe(true)
  expect(await reads('--engine mock --model-path models/tiny-llm')).toBe(false)
  expect(await reads('--model-path Qwen/Not-Here-Yet --enable-multimodal')).toBe(true)
  expect(await reads('--video-generation-worker')).toBe(false)
  expect(await reads('--model-path models/tiny-vl --multimodal-worker', 'worker')).toBe(false)
  expect(await reads('--model-path models/tiny-vl --multimodal-encode-worker', 'worker')).toBe(false)
  expect(await reads('--model-path models/tiny-vl --multimodal-encode-worker --encoder-port 21000', 'worker')).toBe(true)
})

test('the program: one that works, none by choice, one that is not there', () => {
  expect(checkClips(process.execPath)).toEqual({ level: 'ok', what: `clips in chats: decoded by ${process.execPath}` })
  expect(checkClips('none').level).toBe('ok')
  expect(checkClips('/nowhere/ffmpeg')).toMatchObject({
    ...{ level: 'warn', what: expect.stringContaining('no ffmpeg was found at /nowhere/ffmpeg') },
    advice: expect.stringContaining('--ffmpeg'),
  })
})

test('sounds: of a model that hears, where they are read', async () => {
  const hearing = writeFamily('qwen2Audio')
  const check = (line: string, command: 'serve' | 'worker' = 'serve') => checkSounds(parseSettings(line.split(' '), {}, command))
  const [found] = await check(`--engine mock --model-path ${hearing} --enable-multimodal --ffmpeg ${process.execPath}`)
  expect(found).toEqual({ level: 'ok', what: `sounds in chats (qwen2-audio, up to 30 seconds): decoded by ${process.execPath}` })
  const [none] = await check(`--engine mock --model-path ${hearing} --ffmpeg /nowhere/ffmpeg`)
  expect(none).toMatchObject({ level: 'warn', what: expect.stringContaining('only WAV files of 16 kHz') })
  expect(await check('--engine mock --model-path models/tiny-vl')).toEqual([])
  expect(await check(`--engine mock --model-path ${hearing}`, 'worker')).toEqual([])
})

test('a vision model is told of clips, not of videos', async () => {
  const args = ['--engine', 'mock', '--model-path', 'models/tiny-vl', '--enable-multimodal', '--gpu-kernels', 'cpu']
  const { out } = await run(['doctor', ...args, '--ffmpeg', '/nowhere/ffmpeg'])
  expect(out).toMatch(/^warn +clips in chats: no ffmpeg .*refused \(400\)/m)
  expect(out).not.toContain('WebP')
}, 30_000)

test('a worker’s command line that no worker takes is refused in the worker’s words', async () => {
  const { code, err } = await run(['doctor', '--multimodal-encode-worker', '--http-port', '21000'])
  expect(code).toBe(2)
  expect(err).toContain("--http-port does not belong to 'worker'")
})
