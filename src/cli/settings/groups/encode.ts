// Pictures encoded apart from the language model: the roles, and which encoders there are (those of our own tower: vision.ts).
import { choice, decimal, flag, integer, list, text } from '../setting.ts'

const engine = { commands: ['serve', 'worker'] as const }
const worker = { commands: ['worker'] as const }

export const encodeSettings = {
  multimodalEncodeWorker: flag(
    'vision',
    '--multimodal-encode-worker',
    'DYN_SGL_MULTIMODAL_ENCODE_WORKER',
    'Run as multimodal encode worker: pictures become rows here, for the language workers that find it (as --disaggregation-mode encode)',
    engine,
  ),
  multimodalWorker: flag(
    'vision',
    '--multimodal-worker',
    'DYN_SGL_MULTIMODAL_WORKER',
    'Run as multimodal LLM worker: the pictures are encoded elsewhere; with --disaggregation-mode prefill or decode one half of it',
    engine,
  ),
  multimodalProcessor: flag(
    'vision',
    '--multimodal-processor',
    'DYN_SGL_MULTIMODAL_PROCESSOR',
    'Run as multimodal processor: our frontends do that themselves, so a worker with it starts no engine and only stays until it is stopped',
  ),
  dedicatedMmEncoder: flag(
    'vision',
    '--dedicated-mm-encoder',
    'DYN_SGL_DEDICATED_MM_ENCODER',
    'Pictures are encoded apart from the language model: by encoders of this process (serve) or by encode workers (worker)',
    engine,
  ),
  visionEncoder: choice(
    'vision',
    '--vision-encoder',
    'DYN_VISION_ENCODER',
    ['auto', 'onnx', 'sglang', 'mock'],
    'auto',
    "What encodes: our own tower (onnx), SGLang's encoder server, or made-up rows; auto: mock with --engine mock, onnx where there is a tower, else sglang",
    engine,
  ),
  visionEncoderUrl: text(
    'vision',
    '--vision-encoder-url',
    'DYN_VISION_ENCODER_URL',
    undefined,
    'A running SGLang server of the --encoder-only kind (http://HOST:PORT), in place of one of our own; nothing is started or stopped',
    engine,
  ),
  visionEncoders: integer(
    'vision',
    '--vision-encoders',
    'DYN_VISION_ENCODERS',
    undefined,
    'Encoders of this process; 1 for serve and encode workers, 0 for language workers, who find encode workers',
    { ...engine, min: 0, max: 64 },
  ),
  embeddingCacheGb: decimal(
    'vision',
    '--multimodal-embedding-cache-capacity-gb',
    'DYN_MULTIMODAL_EMBEDDING_CACHE_CAPACITY_GB',
    1,
    'Memory for rows of pictures that were encoded before, in GB, in each process that encodes or has pictures encoded; 0 keeps none',
    { ...engine, min: 0 },
  ),
  encoderPort: integer(
    'vision',
    '--encoder-port',
    'DYN_ENCODER_PORT',
    undefined,
    "Port where an encode worker serves foreign SGLang language servers (--language-only) as SGLang's encoder would; absent: none",
    { ...worker, min: 0, max: 65535 },
  ),
  encoderRegisterUrls: list(
    'vision',
    '--encoder-register-urls --encoder-bootstrap-url',
    'DYN_ENCODER_REGISTER_URLS',
    'Such servers to tell of this encoder (http://HOST:PORT, their --encoder-bootstrap-port); opens --encoder-port where it is absent',
    worker,
  ),
  encoderSglangVersion: text(
    'vision',
    '--encoder-sglang-version',
    'DYN_ENCODER_SGLANG_VERSION',
    undefined,
    'SGLang version of such servers (0.5.6 or later); needed for 0.5.13 to 0.5.18 only, whose questions look like those of later ones',
    worker,
  ),
}
