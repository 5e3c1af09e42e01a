import { tcpClient } from '../../../src/transport/tcp/client.ts'
import { tcpServer } from '../../../src/transport/tcp/server.ts'
import { embeddingSuite } from '../../suites/embedding.suite.ts'
import { engineSuite } from '../../suites/engine.suite.ts'
import type { PlaneKind } from '../../suites/plane.suite.ts'
import { engineOver } from './worlds.ts'

const tcp: PlaneKind = { serve: async (service) => tcpServer(service), connect: (address) => tcpClient(address) }

engineSuite('a remote engine over TCP', () => engineOver(tcp, { speedupRatio: 10, maxRunningRequests: 16, contextLength: 1024 }), {
  abortTokens: 6,
})
embeddingSuite('remote embeddings over TCP', () => engineOver(tcp, { isEmbedding: true }))
