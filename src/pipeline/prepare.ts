// A request's prompt to token ids, and its budget checked against the model before any engine hears of it.
import type { GenerateRequest, MediaItem, SamplingParams } from '../engine/types.ts'
import { AppError } from '../lib/errors.ts'
import { withNumbers } from '../lib/exact-json.ts'
import type { Written } from '../media/vision/vision.ts'
import type { ChatTemplate, TemplateInput } from '../template/template.ts'
import { checkMedia, checkNoPlaces, readMedia } from './media-parts.ts'
import type { LoadedModel } from './model.ts'
import type { Prompt, TextRequest } from './types.ts'

export interface Prepared {
  promptIds: Uint32Array
  /** What the router names blocks by: `promptIds`, with the values that engines put in place of pictures. */
  routeIds: Uint32Array
  media?: readonly MediaItem[]
  /** GenerateRequest.mediaText. */
  mediaText?: string
  /** The prompt's text where there is one (echo). */
  promptText: string | undefined
  /** Instead of ids, where the engine renders and tokenizes. */
  chat?: NonNullable<GenerateRequest['chat']>
  /** For the engine: with the stop strings in. */
  sampling: SamplingParams
}

/** Throws `invalid_value` for an id that the model does not have. */
export function checkIds(ids: Uint32Array, model: LoadedModel, param: string): void {
  const { vocabSize } = model.info
  for (const id of ids)
    if (id >= vocabSize)
      throw new AppError('invalid_value', { message: `Token id ${id} is outside the model's vocabulary of ${vocabSize}.`, param })
}

/** Throws `invalid_value` for a bias on a token that the model does not have. */
function checkBias(bias: NonNullable<SamplingParams['logit_bias']>, { info }: LoadedModel): void {
  for (const key of Object.keys(bias)) {
    const param = `logit_bias.${key}`
    if (!(Number(key) < info.vocabSize))
      throw new AppError('invalid_value', {
        message: `Invalid value for '${param}': the model's token ids are 0 to ${info.vocabSize - 1}.`,
        param,
      })
  }
}

/** Ids of a prompt; `param` is its field in the request. Returns at once when the tokenizer has all of it cached. Throws `invalid_template`, `invalid_value`. */
export function tokenizePrompt(
  prompt: Prompt,
  model: LoadedModel,
  written?: Written,
  param = 'prompt',
): { text: string | undefined; ids: Uint32Array | Promise<Uint32Array> } {
  if (prompt.kind === 'ids') {
    checkIds(prompt.ids, model, prompt.param ?? param)
    return { text: undefined, ids: prompt.ids }
  }
  if (prompt.kind === 'text') return { text: prompt.text, ids: model.tokenizer.encode(prompt.text, prompt.addSpecial) }
  if (model.template === undefined)
    throw new AppError('invalid_template', {
      message: 'This model has no chat template. Use /v1/completions, or start the server with --custom-jinja-template FILE.',
      param: 'messages',
    })
  const text = written === undefined ? model.template.render(prompt.input) : renderWritten(prompt.input, model.template, written)
  // Of a model that sees: what it reads texts with reads pictures as well.
  return { text, ids: model.sight?.model?.written?.special === true ? withSpecial(text, model) : model.tokenizer.encode(text, false) }
}

/** With the special tokens that the tokenizer has for the front of every text, but those that the template wrote only once. */
async function withSpecial(text: string, { tokenizer }: LoadedModel): Promise<Uint32Array> {
  const [front, ids] = await Promise.all([tokenizer.encode('', true), tokenizer.encode(text, false)])
  if (front.every((id, i) => ids[i] === id)) return ids
  const all = new Uint32Array(front.length + ids.length)
  all.set(front)
  all.set(ids, front.length)
  return all
}

/** A chat with pictures, each as its family's processor writes it. */
function renderWritten(input: TemplateInput, template: ChatTemplate, { mark, as, amongTexts }: Written): string {
  return template.render(amongTexts === true ? { ...input, pictureMark: mark } : input).replaceAll(mark, as)
}

const noIds = new Uint32Array()

/** Template, tokens, pictures and budget of one request. `signal` ends the reading of pictures. */
export async function prepare(request: TextRequest, model: LoadedModel, signal: AbortSignal): Promise<Prepared> {
  if (model.engineTokenizes)
    return { promptIds: noIds, routeIds: noIds, promptText: undefined, chat: chatOf(request), sampling: samplingOf(request, model) }
  const sight = request.media && checkMedia(request.media, model.sight, model.served.id)
  const { text, ids } = tokenizePrompt(request.prompt, model, sight?.model?.written)
  const rendered = ids instanceof Promise ? await ids : ids
  if (sight === undefined && model.sight !== undefined) checkNoPlaces(rendered, model.sight, paramOf(request))
  const encode = (text: string) => model.tokenizer.encode(text, false)
  // Pictures that no longer fit are neither waited for nor read.
  const checkLength = (tokens: number) => checkPrompt(tokens, request, model, 'at least ')
  const seen = sight && (await readMedia(rendered, request.media!, sight, encode, signal, checkLength))
  const promptIds = seen?.promptIds ?? rendered
  checkBudget(promptIds.length, request, model)
  const sampling = samplingOf(request, model)
  if (request.defaultMaxTokens !== undefined)
    sampling.max_new_tokens ??= Math.min(request.defaultMaxTokens, model.info.contextLength - promptIds.length)
  const prepared = { promptIds, routeIds: seen?.routeIds ?? promptIds, promptText: text, sampling }
  if (seen === undefined) return prepared
  const written = sight!.model?.written
  const mediaText = written?.readsText === true && text !== undefined ? { mediaText: text.replaceAll(written.as, written.mark) } : {}
  return { ...prepared, media: seen.media, ...mediaText }
}

function samplingOf(request: TextRequest, model: LoadedModel): SamplingParams {
  // SGLang's own server fills in the model's recommendation for chat alone.
  const sampling: SamplingParams =
    request.prompt.kind === 'chat' ? { ...model.samplingDefaults, ...request.sampling } : { ...request.sampling }
  if (sampling.logit_bias !== undefined) checkBias(sampling.logit_bias, model)
  if (request.stops.length > 0) sampling.stop = [...request.stops]
  if (!request.skipSpecial) sampling.skip_special_tokens = false
  return sampling
}

/** The messages as SGLang's own server would get them. */
function chatOf({ prompt, media }: TextRequest): NonNullable<GenerateRequest['chat']> {
  if (prompt.kind !== 'chat')
    throw new AppError('unsupported_parameter', {
      message: 'This server runs with --use-sglang-tokenizer, which serves chat completions only.',
      param: 'prompt',
    })
  if (media !== undefined)
    throw new AppError('unsupported_parameter', {
      message: 'This server runs with --use-sglang-tokenizer, which takes text alone; start it without that flag for pictures.',
      param: media[0]!.param,
    })
  const { messages, tools, addGenerationPrompt, continueFinalMessage, variables } = prompt.input
  const chat = {
    messages,
    variables: { ...variables, add_generation_prompt: addGenerationPrompt, continue_final_message: continueFinalMessage === true },
  }
  return tools === undefined ? chat : { ...chat, tools: withNumbers(tools, Number) }
}

/** Throws `context_length_exceeded` in OpenAI's words: what the limit is, what was asked, what to change. */
function checkBudget(promptTokens: number, request: TextRequest, model: LoadedModel): void {
  const { contextLength } = model.info
  const param = paramOf(request)
  if (promptTokens === 0) throw new AppError('invalid_value', { message: 'The prompt has no tokens.', param })
  const asked = request.sampling.max_new_tokens ?? 0
  checkPrompt(promptTokens, request, model)
  if (promptTokens + asked > contextLength)
    throw new AppError('context_length_exceeded', {
      message: `This model's maximum context length is ${contextLength} tokens. You requested ${promptTokens + asked} (${promptTokens} in the ${param}, ${asked} in the completion). Please reduce the ${param} or max_tokens.`,
      param,
    })
}

/** The prompt alone, which has so many tokens or (`words`) more. */
function checkPrompt(tokens: number, request: TextRequest, model: LoadedModel, words = ''): void {
  const { contextLength, maxPromptTokens } = model.info
  if (tokens <= maxPromptTokens && tokens < contextLength) return
  const param = paramOf(request)
  const advice =
    request.media === undefined
      ? 'Please reduce their length.'
      : 'Please reduce their length: pictures, clips and sounds have a token for each of their rows, so send fewer or smaller ones ("detail": "low" makes a picture small).'
  throw new AppError('context_length_exceeded', {
    message: `This model's maximum context length is ${contextLength} tokens, and a prompt may have ${Math.min(maxPromptTokens, contextLength - 1)}. Your ${param} resulted in ${words}${tokens} tokens. ${advice}`,
    param,
  })
}

function paramOf({ prompt }: TextRequest): string {
  if (prompt.kind === 'chat') return 'messages'
  return (prompt.kind === 'ids' ? prompt.param : undefined) ?? 'prompt'
}
