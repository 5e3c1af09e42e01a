// Encoders that stand still with pictures in work: they are known by their silence however long the work may take, and the picture is encoded elsewhere or fails with the cause.
// What decides is that a request ends while its encoder still stands: the engine waits three minutes, longer than any test here may run.
import { expect, setDefaultTimeout, test } from 'bun:test'
import { need } from '../helpers/need.ts'
import { pngOf } from '../helpers/pictures.ts'
import { childrenOf } from '../helpers/processes/children.ts'
import { eventually } from '../helpers/processes/start.ts'
import { found, look, patchesInWork, visionFleets } from '../helpers/processes/vision-fleet.ts'
import { tinyTower } from '../helpers/vision-fixtures.ts'

setDefaultTimeout(60_000)

const { fleetOf } = visionFleets()

/** A picture takes about fifty seconds: nobody could tell by the time that it takes. */
const verySlow = ['--speedup-ratio', '0.0001']

test('the only encode worker is stopped: its picture fails at once with the cause, also later ones; it goes on, and they are answered', async () => {
  const fleet = fleetOf()
  const [{ url }, language, encoder] = await Promise.all([fleet.frontend(), fleet.language(), fleet.encoder(verySlow)])
  await found(url, language, 1)
  const running = look(url, [await pngOf(112, 84, 1)])
  await eventually('it is in work', async () => (await encoder.metric(patchesInWork)) > 0)
  process.kill(encoder.pid, 'SIGSTOP')
  try {
    expect(await running).toStartWith('503 encoder_unavailable')
    expect(await look(url, [await pngOf(112, 84, 2)])).toStartWith('503 encoder_unavailable')
    expect(await look(url, [], 'Hi')).not.toStartWith('503')
  } finally {
    process.kill(encoder.pid, 'SIGCONT')
  }
})

test('one of two encode workers is stopped: its pictures are encoded by the other', async () => {
  const fleet = fleetOf()
  const [{ url }, language, slow] = await Promise.all([fleet.frontend(), fleet.language(), fleet.encoder(verySlow)])
  await found(url, language, 1)
  const files = await Promise.all([1, 2, 3].map((seed) => pngOf(112, 84, 10 + seed)))
  const answers = Promise.all(files.map((file) => look(url, [file])))
  await eventually('they are in work', async () => (await slow.metric(patchesInWork)) > 0)
  const other = await fleet.encoder()
  process.kill(slow.pid, 'SIGSTOP')
  try {
    for (const answer of await answers) expect(answer).not.toMatch(/^5\d\d /)
    expect(await other.metric('dynamo_component_vision_encoder_pictures_total')).toBe(3)
  } finally {
    process.kill(slow.pid, 'SIGCONT')
  }
})

test.each([
  ['hangs', 'hang-after=0', /did not answer in time/],
  ['fails', 'error', /told to fail/],
])('the only encoder %s: picture after picture says so', async (_, failure, cause) => {
  const fleet = fleetOf()
  const [{ url }, language] = await Promise.all([fleet.frontend(), fleet.language(), fleet.encoder(['--mock-failure', failure])])
  await found(url, language, 1)
  for (let seed = 31; seed < 35; seed++) {
    expect(await look(url, [await pngOf(112, 84, seed)])).toMatch(cause)
  }
})

const made = await tinyTower('tiny-vl')

test.skipIf(!need('an exported tower (a Python with onnx)', made !== undefined))(
  'the process of a tower is stopped: another takes its place, and its picture is answered or fails with the cause',
  async () => {
    const onnx = ['--vision-encoder', 'onnx', '--vision-tower', made!.tower, '--vision-device', 'cpu', '--vision-threads', '1']
    const fleet = fleetOf()
    const [{ url }, language, encoder] = await Promise.all([fleet.frontend(), fleet.language(), fleet.encoder(onnx)])
    await found(url, language, 1)
    const expected = await look(url, [await pngOf(112, 84, 21)])
    const [tower] = childrenOf(encoder.pid)
    process.kill(tower!, 'SIGSTOP')
    const answer = await look(url, [await pngOf(112, 84, 22)])
    expect(answer).toMatch(answer.startsWith('5') ? /^503 encoder_unavailable/ : /./)
    await eventually('another process serves', async () => (await look(url, [await pngOf(112, 84, 23)])).length > 0)
    await eventually('pictures are answered', async () => !(await look(url, [await pngOf(112, 84, 24)])).startsWith('503'))
    expect(childrenOf(encoder.pid)).not.toContain(tower)
    expect(await look(url, [await pngOf(112, 84, 21)])).toBe(expected)
  },
)
