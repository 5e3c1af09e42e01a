// Everything the processes are told, in their own words; cli/deployment/ makes it from the settings.
import type { DiscoveryOptions } from '../discovery/options.ts'
import type { OnnxEncoderOptions } from '../engine/vision/onnx/encoder.ts'
import type { DisaggOptions } from '../router/create.ts'
import type { RouterOptions } from '../router/options.ts'
import type { HubOptions } from '../tokenizer/hub.ts'
import type { NatsOptions } from '../transport/nats/connection.ts'

export interface ModelOptions {
  /** A folder, or a name on the hub; undefined: the engine tells (attached servers). */
  path: string | undefined
  /** What clients call it; the first is the id, the others are aliases. Empty: the path as given. */
  servedNames: readonly string[]
  tokenizerPath: string | undefined
  customTemplate: string | undefined
  tokenizerCacheBytes: number
  contextLength: number | undefined
  hub: HubOptions
  /** Let generation_config.json fill in sampling that a request leaves open, as SGLang does (`--sampling-defaults model`). */
  samplingDefaults: boolean
  /** --use-sglang-tokenizer. */
  engineTokenizes: boolean
  /** The flag that says that the model must see (--enable-multimodal and those of vision roles); undefined: one that cannot be prepared for here serves text alone. */
  mustSee: string | undefined
  /** Which pictures of users are read. */
  input: InputOptions
}

/** Where pictures of users may lie, and how large a data: address may be. */
export interface InputOptions {
  allowInternal: boolean
  /** The environment names a proxy. */
  byProxy?: boolean
  localPath: string | undefined
  maxDataUrlMb: number | undefined
  /** The program that decodes clips; null: none. Absent: the one in the PATH. */
  ffmpeg?: string | null
}

/** One model on several hosts (SGLang's --nnodes). */
export interface NodeOptions {
  /** Which of them this host is; 0 takes the requests. */
  rank: number
  /** SGLang's --dist-init-addr, the same on all of them: it names the group. */
  group: string
}

export type EngineOptions =
  | {
      kind: 'sglang'
      python: string
      args: readonly string[]
      env: Record<string, string>
      level: 'L1' | 'L0' | 'L2' | undefined
      cacheDir: string
      silenceMs: number
      kvEvents: boolean
      /** Absent: the model runs on one host. */
      nodes?: NodeOptions
    }
  | { kind: 'http'; url: string }
  | {
      kind: 'mock'
      speedupRatio: number
      failure: string
      seed: number
      blockSize: number | undefined
      dpSize: number | undefined
      maxRunningRequests: number | undefined
      totalKvTokens: number | undefined
      isEmbedding: boolean
      kvEvents: boolean
      role: 'aggregated' | 'prefill' | 'decode'
      /** Where a prefill mock can be reached by decode mocks; undefined: this machine only. */
      bootstrapHost: string | undefined
      /** Its pictures are encoded elsewhere. */
      rowsOnly: boolean
    }

/** How an encoder of this process is made. */
export interface EncoderOptions {
  kind: 'auto' | 'onnx' | 'sglang' | 'mock'
  /** --vision-tower; undefined: vision.onnx in the model's folder. */
  tower: string | undefined
  /** Patches of the largest picture or clip; undefined: as the model's processor allows. */
  maxPatches: number | undefined
  /** What our own is told, for a model's folder. */
  onnx(folder: string): Promise<OnnxEncoderOptions>
  /** Of a running SGLang encoder. */
  url: string | undefined
  /** The address of this machine that it can reach. */
  receiveHost: string
  /** Of one that is started here. */
  python: string
  args: readonly string[]
  env: Record<string, string>
  /** `args` are those of a language engine of this process. */
  besideEngine: boolean
  /** The first GPU that no language engine of this process has; undefined: it runs on the CPU. */
  firstGpu: number | undefined
  /** Of the mock. */
  speedupRatio: number
  failure: string
}

/** Pictures are encoded apart from the language model. */
export interface VisionOptions {
  /** The flag that said so. */
  flag: string
  encoder: EncoderOptions
  /** Encoders of this process. */
  count: number
  /** Room for rows of earlier pictures. */
  cacheBytes: number
}

export type DiffusionEngineOptions =
  | { kind: 'sglang'; python: string; args: readonly string[]; env: Record<string, string>; cacheDir: string }
  | { kind: 'mock'; speedupRatio: number; failure: string; replicas: number }

/** Where finished images and videos are kept, how they are written, which of users' images are taken. */
export interface MediaOptions {
  store: {
    /** file:///FOLDER or s3://BUCKET/PREFIX. */
    fsUrl: string
    /** What addresses begin with; undefined: this server's /media. */
    httpUrl: string | undefined
    maxBytes: number | undefined
    maxAgeMs: number | undefined
    /** The variables of S3's own tools (AWS_…). */
    env: Readonly<Record<string, string | undefined>>
  }
  /** Of the job files of POST /v1/videos; each store has a folder in it. */
  jobsFolder: string
  /** How long an ended job and its clip are kept. */
  jobKeepMs: number
  /** Jobs that may wait for one engine. */
  queueLimit: number
  kernels: 'auto' | 'webgpu' | 'cpu'
  /** The program; null: do without. */
  ffmpeg: string | null
  /** undefined: the first that works. */
  encoder: string | undefined
  input: InputOptions
}

/** How requests and events travel between processes. */
export interface PlaneOptions {
  request: 'tcp' | 'nats'
  events: 'zmq' | 'nats'
  /** Where this process listens, and what others are told; port 0 takes a free one. */
  tcp: { bind: string; host: string; port: number; secret: string | undefined }
  zmq: { bind: string; host: string; port: number }
  /** Set when a plane is NATS. */
  nats: NatsOptions | undefined
}

/** Finding other processes, and talking to them. */
export interface FleetOptions {
  /** Workers are those of this namespace (and its generations, `namespace-suffix`). */
  namespace: string
  discovery: DiscoveryOptions
  planes: PlaneOptions
  /** Where copies of model files are kept. */
  cacheDir: string
  /** Share bookings with the other frontends (--router-replica-sync). */
  replicaSync: boolean
}

/** What every process that we start has. */
export interface ProcessOptions {
  version: string
  /** `dyn://namespace.component.endpoint`, told in /health. */
  endpoint: string
  /** A second port for operators: /metrics, /health, /live, /engine/…. */
  system: { host: string; port: number } | undefined
  health: { canaryFreshMs: number; canaryIds: Uint32Array | undefined }
  graceMs: number
  drainMs: number
}

export interface FrontOptions extends ProcessOptions {
  http: { host: string; port: number; tls?: { cert: string; key: string }; reusePort: boolean }
  limits: { bodyBytes: number; inFlight: number; overloadStatus: number }
  ignoreUnknownFields: boolean
  corsOrigin: string | undefined
  excludeToolsWhenNone: boolean
  /** --control-api: /engine/… on the API's port too. */
  controlRoutes: boolean
  router: RouterOptions & DisaggOptions
}

/** `serve`: everything in one process tree. */
export interface ServeOptions extends FrontOptions {
  /** Unique in the deployment, another for each start. */
  id: string
  /** The name of each copy. */
  workerId(index: number): string
  /** Absent: this process alone. */
  fleet?: FleetOptions
  workerAddresses: readonly string[]
  model: ModelOptions
  engine: EngineOptions
  /** Copies of the engine. */
  workers: number
  migrationLimit: number
  /** Absent: the engine encodes pictures itself. */
  vision?: VisionOptions
}

/** Diffusion engines of this process. */
export interface MediaEngineOptions {
  version: string
  /** The name of each copy. */
  workerId(index: number): string
  makes: 'image' | 'video'
  /** `standard`: nobody named one, so it is the role's usual one. */
  model: Pick<ModelOptions, 'servedNames' | 'hub'> & { path: string; standard: boolean }
  engine: DiffusionEngineOptions
  /** Copies of the engine. */
  workers: number
  media: Pick<MediaOptions, 'queueLimit' | 'kernels' | 'ffmpeg' | 'encoder'>
  /** DYN_HEALTH_CHECK_PAYLOAD. */
  canary: Record<string, unknown> | undefined
}

/** `serve` with a diffusion role. */
export interface MediaServeOptions extends FrontOptions, MediaEngineOptions {
  media: MediaOptions
}

/** `worker` with a diffusion role: one engine that frontends elsewhere use. */
export interface MediaWorkerOptions extends ProcessOptions, MediaEngineOptions {
  /** Unique in the deployment, another for each start. */
  id: string
  fleet: FleetOptions
}

/** `frontend`: HTTP and router; the engines are workers elsewhere. */
export interface FrontendOptions extends FrontOptions {
  /** Unique in the deployment, another for each start. */
  id: string
  fleet: FleetOptions
  /** How the files of a worker's model are read; `path` and names come from its card. */
  model: ModelOptions
  /** static discovery: where workers are (`tcp://host:port`). */
  workerAddresses: readonly string[]
  /** Workers to wait for before this frontend is ready, of text or media. */
  minWorkers: number
  /** Where the files of media workers are kept, and the jobs that ask for them. */
  media: MediaOptions
}

/** `worker`: one engine that frontends elsewhere use. */
export interface WorkerOptions extends ProcessOptions {
  /** Unique in the deployment, another for each start. */
  id: string
  model: ModelOptions
  engine: EngineOptions
  fleet: FleetOptions
  migrationLimit: number
  /** Absent: the engine encodes pictures itself, or needs none of them (decode). */
  vision?: VisionOptions
}

/** `worker` that encodes pictures for language workers. */
export interface EncodeWorkerOptions extends ProcessOptions {
  /** Unique in the deployment, another for each start. */
  id: string
  model: ModelOptions & { path: string }
  vision: VisionOptions
  fleet: FleetOptions
  /** For SGLang's own language servers: where it listens, which address they are told, who is told, and their release where it was said. Absent: they are not served. */
  foreign?: { bind: string; host: string; port: number; registerAt: readonly string[]; release: string | undefined }
  /** DYN_HEALTH_CHECK_PAYLOAD. */
  canary: Record<string, unknown> | undefined
}
