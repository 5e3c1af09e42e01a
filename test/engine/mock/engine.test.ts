import { mockEngine } from '../../../src/engine/mock/engine.ts'
import { embeddingSuite } from '../../suites/embedding.suite.ts'
import { engineSuite } from '../../suites/engine.suite.ts'
import { options } from './world.ts'

// Slow enough that an abort finds its request running.
const pace = { speedupRatio: 10, maxRunningRequests: 16, contextLength: 1024, version: '1' }

engineSuite('mock', () => mockEngine(options(pace)))
engineSuite('mock with two ranks and little KV', () => mockEngine(options({ ...pace, dpSize: 2, totalKvTokens: 2048 })))
embeddingSuite('mock embeddings', () => mockEngine(options({ isEmbedding: true, version: '1' })))
