import { natsPlane } from '../../helpers/nats-plane.ts'
import { embeddingSuite } from '../../suites/embedding.suite.ts'
import { engineSuite } from '../../suites/engine.suite.ts'
import { engineOver } from './worlds.ts'

const nats = natsPlane()
if (nats !== undefined) {
  engineSuite('a remote engine over NATS', () => engineOver(nats, { speedupRatio: 10, maxRunningRequests: 16, contextLength: 1024 }), {
    abortTokens: 8,
  })
  embeddingSuite('remote embeddings over NATS', () => engineOver(nats, { isEmbedding: true }))
}
