// The mock engine; the flags that SGLang has too size both.
import { decimal, integer, text } from '../setting.ts'

const shared = { shared: true } as const
const engine = { commands: ['serve', 'worker'] as const }

export const mockSettings = {
  speedupRatio: decimal('mock', '--speedup-ratio', 'DYN_MOCK_SPEEDUP_RATIO', 1, "Pace of the mock: 1 is a GPU's, 1000000 is at once", {
    ...engine,
    min: 0.000001,
  }),
  mockFailure: text('mock', '--mock-failure', 'DYN_MOCK_FAILURE', '', 'Faults the mock plays, such as crash-after=200,restart=500', engine),
  mockSeed: integer('mock', '--mock-seed', 'DYN_MOCK_SEED', 0, 'Two mocks with one seed give the same answers', engine),
  numGpuBlocks: integer('mock', '--num-gpu-blocks', '', undefined, 'KV room of the mock, in blocks', { ...engine, min: 2 }),
  pageSize: integer('mock', '--page-size', '', undefined, 'Tokens in a KV block', { ...shared, min: 1 }),
  dpSize: integer(
    'mock',
    '--dp-size --data-parallel-size --dp --attn-dp-size --attention-data-parallel-size',
    '',
    undefined,
    'Data-parallel ranks',
    { ...shared, min: 1 },
  ),
  maxRunningRequests: integer('mock', '--max-running-requests', '', undefined, 'Requests that run together, per rank', {
    ...shared,
    min: 1,
  }),
  maxTotalTokens: integer('mock', '--max-total-tokens', '', undefined, 'KV room in tokens, per rank', { ...shared, min: 1 }),
}
