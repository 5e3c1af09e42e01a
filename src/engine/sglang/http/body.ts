// What POST /generate is told: our request in the words of SGLang's HTTP API.
import { AppError } from '../../../lib/errors.ts'
import type { GenerateRequest, MediaItem } from '../../types.ts'

/** An attached server would begin a grammar, or the counts of penalties, at the cut. */
function startsAnew({ sampling }: GenerateRequest): boolean {
  const grammar = sampling.json_schema ?? sampling.regex ?? sampling.ebnf ?? sampling.structural_tag
  if (grammar !== undefined || (sampling.repetition_penalty ?? 1) !== 1) return true
  return (sampling.frequency_penalty ?? 0) !== 0 || (sampling.presence_penalty ?? 0) !== 0
}

/** The prompt with one id for each picture: the server expands it again. */
function singleIds({ promptIds, media = [] }: GenerateRequest): number[] {
  const ids: number[] = []
  let from = 0
  for (const { offset, tokens, single } of media) {
    for (const id of promptIds.subarray(from, offset)) ids.push(id)
    ids.push(single)
    from = offset + tokens
  }
  for (const id of promptIds.subarray(from)) ids.push(id)
  return ids
}

/** No names of ours (`mm_hashes`): nobody foresees an attached server's KV blocks, and SGLang 0.5.23 dies of them with Qwen3-VL (requests/pictures.py, keep_ours). Throws `unsupported_parameter` for clips that it would sample otherwise than the prompt was made for, and for several sounds. */
function pictureFields(media: readonly MediaItem[]): Record<string, unknown> {
  const [images, clips, sounds] = (['image', 'video', 'audio'] as const).map((wanted) => media.filter(({ kind }) => kind === wanted)) as [
    MediaItem[],
    MediaItem[],
    MediaItem[],
  ]
  for (const { clip, file } of clips) {
    if (clip?.chosen === true || file.length === 0)
      throw new AppError('unsupported_parameter', {
        message:
          'An attached SGLang server picks the frames of clips itself: send clips as video_url parts, without fps, num_frames or frames of your own.',
      })
  }
  if (sounds.length > 1)
    throw new AppError('unsupported_parameter', {
      // It writes both lengths to the first one (multimodal/processors/qwen_audio.py), and its scheduler dies of the second.
      message:
        'An attached SGLang server takes one sound in a chat: SGLang 0.5.23 dies of two. Send one, or let this server start the engine itself.',
    })
  return {
    ...(images.length === 0 ? {} : { image_data: images.map(urlOf) }),
    ...(clips.length === 0 ? {} : { video_data: clips.map(urlOf) }),
    ...(sounds.length === 0 ? {} : { audio_data: sounds.map(urlOf) }),
  }
}

function urlOf({ file, contentType }: MediaItem): string {
  return `data:${contentType};base64,${Buffer.from(file.buffer, file.byteOffset, file.length).toString('base64')}`
}

function promptOf(request: GenerateRequest): Record<string, unknown> {
  const text = request.promptText ?? request.mediaText
  return text === undefined ? { input_ids: singleIds(request) } : { text }
}

/** Throws AppError `engine_rejected` for an answer that such a server cannot continue. */
export function generateBody(request: GenerateRequest, rid: string): Record<string, unknown> {
  if (request.resumed && startsAnew(request))
    throw new AppError('engine_rejected', {
      message: 'An attached SGLang server cannot continue an answer that is bound by a grammar or by penalties.',
    })
  return {
    rid,
    ...promptOf(request),
    ...(request.media === undefined ? {} : pictureFields(request.media)),
    // Absent means "until the end" here, 128 there.
    sampling_params: { max_new_tokens: null, ...request.sampling },
    stream: true,
    priority: request.priority,
    routed_dp_rank: request.dpRank,
    lora_path: request.lora,
    cache_salt: request.cacheSalt,
    extra_key: request.extraKey,
    ...(request.bootstrap
      ? {
          bootstrap_host: request.bootstrap.host,
          bootstrap_port: request.bootstrap.port,
          bootstrap_room: request.bootstrap.room,
          disagg_prefill_dp_rank: request.bootstrap.prefillDpRank,
        }
      : {}),
    ...(request.logprobs
      ? {
          return_logprob: true,
          logprob_start_len: request.logprobs.promptStart,
          top_logprobs_num: request.logprobs.top,
          token_ids_logprob: request.logprobs.tokenIds,
        }
      : {}),
  }
}
