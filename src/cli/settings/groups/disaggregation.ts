// Prefill and decode apart, as the frontend sees them.
import { flag, integer, text } from '../setting.ts'

export const disaggregationSettings = {
  enforceDisagg: flag(
    'disaggregation',
    '--enforce-disagg',
    'DYN_ENFORCE_DISAGG',
    'Answer by pairs of a prefill and a decode worker only; refuse requests while there is none, also when other workers could answer',
  ),
  maxLocalPrefillLength: integer(
    'disaggregation',
    '--max-local-prefill-length',
    'DYN_MAX_LOCAL_PREFILL_LENGTH',
    0,
    'Prompts with no more uncached tokens than this stay on a worker that does all, where there is one; 0: none do',
    { min: 0 },
  ),
  conditionalDisagg: flag(
    'disaggregation',
    '--router-conditional-disagg',
    'DYN_ROUTER_CONDITIONAL_DISAGG',
    'So do prompts with fewer than 2048 uncached tokens that are less than 0.7 of the prompt',
  ),
  conditionalDisaggConfig: text(
    'disaggregation',
    '--router-conditional-disagg-config',
    'DYN_ROUTER_CONDITIONAL_DISAGG_CONFIG',
    undefined,
    "Dynamo's JSON of thresholds for it; here --max-local-prefill-length takes its place",
    { state: 'reserved' },
  ),
}
