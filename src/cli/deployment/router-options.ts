// The router's knobs out of the settings.
import type { DisaggOptions } from '../../router/create.ts'
import type { RouterOptions } from '../../router/options.ts'
import type { Settings } from '../settings/settings.ts'

/** With the old words translated: --load-aware is a preset, --router-kv-overlap-score-weight the prefill load scale's first name. */
export function routerOptions(settings: Settings): RouterOptions & DisaggOptions {
  const { routerMode, routerCost, routerTemperature, loadAware } = settings
  const { overlapScoreCredit, overlapScoreCreditDecay, overlapScoreWeight, prefillLoadScale, decodeActiveRequestWeight } = settings
  const { hostCacheHitWeight, diskCacheHitWeight, useKvEvents, ttlSecs, predictedTtlSecs } = settings
  const { trackActiveBlocks, trackOutputBlocks, assumeKvReuse, trackPrefillTokens } = settings
  const { activeDecodeBlocksThreshold, activePrefillTokensThreshold, activePrefillTokensThresholdFrac, engineRequestLimit } = settings
  const { overloadStatus, queueThreshold, queuePolicy, queueLimit, queueDeadlineSecs } = settings
  const { sessionAffinityTtlSecs, sessionAffinityMode, breakerFailures, breakerOpenSecs, logDecisions } = settings
  const { enforceDisagg, maxLocalPrefillLength, conditionalDisagg } = settings
  return {
    mode: loadAware ? 'kv' : routerMode,
    cost: routerCost,
    temperature: routerTemperature,
    overlapScoreCredit: loadAware ? 0 : overlapScoreCredit,
    overlapScoreCreditDecay,
    hostCacheHitWeight,
    diskCacheHitWeight,
    prefillLoadScale: overlapScoreWeight ?? prefillLoadScale,
    decodeActiveRequestWeight,
    useKvEvents: useKvEvents && !loadAware,
    ttlSecs,
    predictedTtlSecs: loadAware ? 0 : predictedTtlSecs,
    trackActiveBlocks: trackActiveBlocks || loadAware,
    trackOutputBlocks,
    assumeKvReuse: assumeKvReuse && !loadAware,
    trackPrefillTokens: trackPrefillTokens || loadAware,
    ...{ activeDecodeBlocksThreshold, activePrefillTokensThreshold, activePrefillTokensThresholdFrac, engineRequestLimit },
    ...{ overloadStatus, queueThreshold, queuePolicy, queueLimit, queueDeadlineSecs },
    ...{ sessionAffinityTtlSecs, sessionAffinityMode, breakerFailures, breakerOpenSecs, logDecisions },
    ...{ enforceDisagg, maxLocalPrefillLength, conditionalDisagg },
  }
}
