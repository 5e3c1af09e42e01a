// The same encoder over NATS: its messages are small, rows are not.
import { expect, test } from 'bun:test'
import { mockEncoder } from '../../../../src/engine/vision/mock/encoder.ts'
import { remoteEncoder } from '../../../../src/engine/vision/remote/encoder.ts'
import { hostEncoder } from '../../../../src/engine/vision/remote/host.ts'
import { madeUpPicture } from '../../../helpers/media-items.ts'
import { natsPlane } from '../../../helpers/nats-plane.ts'
import { visionSuite } from '../../../suites/vision.suite.ts'

const nats = natsPlane()
if (nats !== undefined) {
  async function pair(dim: number) {
    const mock = mockEncoder({ modelPath: 'models/tiny-vl', dim, msPerPicture: 2 })
    await mock.start()
    const server = await nats!.serve(hostEncoder(mock).service)
    return { mock, far: remoteEncoder(nats!.connect(server.address)) }
  }

  visionSuite('a remote encoder over NATS', async () => (await pair(16)).far, { pictures: [madeUpPicture('a'), madeUpPicture('b', 6, 8)] })

  test('rows of many megabytes come whole over NATS', async () => {
    const { mock, far } = await pair(3584)
    await far.start()
    const never = new AbortController().signal
    const picture = madeUpPicture('large', 20, 31)
    const [own, rows] = [await mock.encode(picture, never), await far.encode(picture, never)]
    expect(Buffer.compare(rows.bytes, own.bytes)).toBe(0)
    await far.stop()
    await mock.stop()
  }, 20_000)
}
