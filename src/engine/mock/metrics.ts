// The mock's share of /metrics: the families of SGLang that a dashboard or a router looks at.
import type { Rank } from './rank/step.ts'

/** Prometheus text, one series a rank. */
export function metricsText(ranks: readonly Rank[], model: string): string {
  const family = (name: string, type: string, help: string, read: (rank: Rank) => number) =>
    `# HELP sglang:${name} ${help}\n# TYPE sglang:${name} ${type}\n${ranks
      .map((rank) => `sglang:${name}{model_name="${escapeLabel(model)}",engine_type="mock",dp_rank="${rank.index}"} ${read(rank)}\n`)
      .join('')}`
  return [
    family('num_running_reqs', 'gauge', 'Requests that run.', (rank) => rank.running.length + rank.prefilling.length),
    family('num_queue_reqs', 'gauge', 'Requests that wait.', (rank) => rank.waiting.length),
    family('num_used_tokens', 'gauge', 'KV tokens that running requests hold.', (rank) => rank.kv.held() * rank.kv.blockSize),
    family('token_usage', 'gauge', 'Held share of the KV memory.', (rank) => rank.kv.held() / rank.kv.capacity),
    family('num_retracted_reqs', 'gauge', 'Rows sent back to the queue for want of KV, so far.', (rank) => rank.retractions),
    family('prompt_tokens_total', 'counter', 'Prompt tokens taken in.', (rank) => rank.promptTokens),
    family('cached_tokens_total', 'counter', 'Prompt tokens found in the cache.', (rank) => rank.cachedTokens),
    family('generation_tokens_total', 'counter', 'Tokens produced.', (rank) => rank.producedTokens),
  ].join('')
}

function escapeLabel(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}
