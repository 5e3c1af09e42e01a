// What a rank would cost, as data: name → function of terms. Everything is in blocks; lower is better.
import { AppError } from '../lib/errors.ts'
import type { RouterOptions } from './options.ts'

/** What is known of one rank for one request. */
export interface CostTerms {
  /** Tokens in a block of this rank. */
  blockSize: number
  promptTokens: number
  /** Blocks of the prompt, the last one counted whole. */
  promptBlocks: number
  /** Leading prompt blocks by where they lie; device includes what was routed there and is not confirmed yet. */
  device: number
  host: number
  disk: number
  /** Booked prompt tokens that are not computed yet, and the least of them over all candidates. */
  prefillTokens: number
  leastPrefillTokens: number
  /** Booked blocks, and what they would be with this request. */
  blocks: number
  blocksAfter: number
  /** Booked requests, and what the engine reports beyond them. */
  requests: number
  foreign: number
  /** The engine's last own report: blocks that running requests hold, of how many, and requests that wait inside it. */
  usedBlocks: number
  /** Blocks in its GPU cache, in use or not, as its events tell; 0 without events. */
  cachedBlocks: number
  totalBlocks: number
  waiting: number
  /** The prompt is computed elsewhere: only where the answer's blocks lie matters. */
  decodeOnly: boolean
}

export type CostWeights = Pick<
  RouterOptions,
  | 'overlapScoreCredit'
  | 'overlapScoreCreditDecay'
  | 'hostCacheHitWeight'
  | 'diskCacheHitWeight'
  | 'prefillLoadScale'
  | 'decodeActiveRequestWeight'
  | 'trackPrefillTokens'
>

export type Cost = (terms: CostTerms, weights: CostWeights) => number

/** Dynamo 1.6.1 (lib/kv-router, selector/default.rs): prefill work that the cache does not spare, plus decode blocks. */
function dynamo(terms: CostTerms, weights: CostWeights): number {
  const waiting = (terms.prefillTokens - terms.leastPrefillTokens) / terms.blockSize
  const decay = 1 / (1 + (weights.overlapScoreCreditDecay * waiting) / Math.max(1, terms.promptBlocks))
  const credit =
    weights.overlapScoreCredit * decay * terms.device + weights.hostCacheHitWeight * terms.host + weights.diskCacheHitWeight * terms.disk
  if (terms.decodeOnly && !weights.trackPrefillTokens && credit > 0) return Math.max(0, terms.blocksAfter - credit) + terms.requests
  const prefill = (terms.prefillTokens + terms.promptTokens) / terms.blockSize
  return weights.prefillLoadScale * Math.max(0, prefill - credit) + terms.blocksAfter + weights.decodeActiveRequestWeight * terms.requests
}

/** Where a cache begins to give up old blocks for new ones, as part of its blocks, and where every new block costs an old one. */
const [easyPart, fullPart] = [0.8, 0.95]
/** What a block that is lost for a new one is worth: it would have spared later requests more than once. */
const evictionWorth = 3
/** A block in use slows the steps of its rank down by so much of what computing it costs (54 ms x 6 steps over the whole memory against 15 µs a token). */
const blockWeight = 0.1

/**
 * Time until the first token, plus what the placement takes from others: the blocks that a full cache gives up for it, and slower steps.
 * Found on a trace in virtual time (test/bench/trace/sim.ts), and held against prompts with one hot prefix, none, and bursts of siblings.
 */
function reuse(terms: CostTerms, weights: CostWeights): number {
  const credit =
    weights.overlapScoreCredit * terms.device + weights.hostCacheHitWeight * terms.host + weights.diskCacheHitWeight * terms.disk
  const uncached = Math.max(0, terms.promptTokens / terms.blockSize - credit)
  const cached = terms.totalBlocks === 0 ? 0 : terms.cachedBlocks / terms.totalBlocks
  const pressure = Math.min(1, Math.max(0, (cached - easyPart) / (fullPart - easyPart)))
  const prefill =
    terms.decodeOnly && !weights.trackPrefillTokens ? 0 : terms.prefillTokens / terms.blockSize + uncached * (1 + evictionWorth * pressure)
  const load = terms.decodeOnly ? terms.blocksAfter : blockWeight * terms.blocksAfter
  return weights.prefillLoadScale * prefill + load + weights.decodeActiveRequestWeight * terms.requests
}

const costs: Readonly<Record<string, Cost>> = { reuse, dynamo }

export const costNames: readonly string[] = Object.keys(costs)

/** --router-cost. Throws AppError `invalid_setting` with the list for an unknown name. */
export function findCost(name: string): Cost {
  const cost = Object.hasOwn(costs, name) ? costs[name] : undefined
  if (cost !== undefined) return cost
  throw new AppError('invalid_setting', {
    param: '--router-cost',
    message: `There is no router cost ${name}; known: ${costNames.join(', ')}.`,
  })
}
