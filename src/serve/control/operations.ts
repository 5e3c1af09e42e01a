// What POST /engine/{name} can do: each name as the engine calls that it stands for. SGLang's TokenizerManager has most of them under the same name.

export interface EngineCall {
  name: string
  args: Record<string, unknown>
}

export interface Operation {
  readonly summary: string
  /** Run one after another; the last one's result is told. The first that fails ends it. */
  calls(args: Record<string, unknown>): readonly EngineCall[]
  /** Takes back what the first calls did to a worker that took traffic, when a later one fails. */
  undo?: EngineCall
}

/** The engine's own operation of that name, with the body as its arguments. */
const same = (name: string, summary: string): [string, Operation] => [name, { summary, calls: (args) => [{ name, args }] }]
const renamed = (alias: string, name: string, summary: string): [string, Operation] => [
  alias,
  { summary, calls: (args) => [{ name, args }] },
]

export const operations: ReadonlyMap<string, Operation> = new Map([
  same('start_profile', 'Start the profiler (output_dir, num_steps, activities, …)'),
  same('stop_profile', 'Stop the profiler and write what it saw'),
  same('start_expert_distribution_record', 'Start to record which experts are used'),
  same('stop_expert_distribution_record', 'Stop that record'),
  same('dump_expert_distribution_record', 'Write that record to SGLANG_EXPERT_DISTRIBUTION_RECORDER_DIR'),
  same('pause_generation', 'Take no traffic: mode abort (default; running requests go on elsewhere), in_place or retract'),
  same('continue_generation', 'Take traffic again'),
  [
    'release_memory_occupation',
    {
      summary: 'Pause, then give the GPU memory back (tags: weights, kv_cache, cuda_graph; absent: all)',
      calls: (args) => [
        { name: 'pause_generation', args: { mode: 'abort' } },
        { name: 'release_memory_occupation', args },
      ],
      undo: { name: 'continue_generation', args: {} },
    },
  ],
  [
    'resume_memory_occupation',
    {
      summary: 'Take the memory again; without tags all of it, and then traffic. With tags, continue_generation says when',
      calls: (args) => {
        const resume = { name: 'resume_memory_occupation', args }
        return args.tags == null ? [resume, { name: 'continue_generation', args: {} }] : [resume]
      },
    },
  ],
  same('update_weights_from_disk', 'Load weights from model_path'),
  same('update_weights_from_distributed', 'Receive weights through a group of init_weights_update_group'),
  renamed('update_weights_from_distributor', 'update_weights_from_distributed', 'Another name of update_weights_from_distributed'),
  same('update_weights_from_tensor', 'Take weights from the request (serialized_named_tensors)'),
  same('update_weights_from_ipc', 'Take weights from another process of the same machine'),
  same('update_weight_version', 'Name the version of the weights (new_version)'),
  same('init_weights_update_group', 'Join the group that weights are sent through'),
  same('destroy_weights_update_group', 'Leave that group'),
  same('flush_cache', 'Forget all cached prefixes; refused while requests run'),
  renamed('clear_kv_blocks', 'flush_cache', 'Another name of flush_cache'),
  same('clear_hicache_storage', "Forget what the hierarchical cache's storage holds"),
  same('load_lora_adapter', 'Load a LoRA adapter (lora_name, lora_path)'),
  same('unload_lora_adapter', 'Unload a LoRA adapter (lora_name)'),
  renamed('load_lora', 'load_lora_adapter', 'Another name of load_lora_adapter'),
  renamed('unload_lora', 'unload_lora_adapter', 'Another name of unload_lora_adapter'),
  same('list_loras', 'The LoRA adapters that are loaded'),
])

/** Why an engine's result means that the operation failed, though the call itself went well; undefined: it did not. */
export function failureIn(result: unknown): string | undefined {
  if (Array.isArray(result)) return result[0] === false ? String(result[1] ?? 'the engine says no') : undefined
  if (typeof result !== 'object' || result === null) return undefined
  const { success, message, error_message: error } = result as Record<string, unknown>
  return success === false ? String(message || error || 'the engine says no') : undefined
}
