// Images and videos: the two roles, where results go (settings of `serve` and `frontend`; a worker is told that they go there), what users' images may be.
import { choice, decimal, flag, integer, text } from '../setting.ts'

const engine = { commands: ['serve', 'worker'] as const }

export const diffusionSettings = {
  imageDiffusionWorker: flag(
    'diffusion',
    '--image-diffusion-worker',
    'DYN_SGL_IMAGE_DIFFUSION_WORKER',
    'Run as image diffusion worker: serve /v1/images with a diffusers model (FLUX.1-dev when no model path is given)',
    engine,
  ),
  videoGenerationWorker: flag(
    'diffusion',
    '--video-generation-worker',
    'DYN_SGL_VIDEO_GENERATION_WORKER',
    'Run as video generation worker: serve /v1/videos with a diffusers model (Wan2.1-T2V-1.3B when no model path is given)',
    engine,
  ),
  mediaFsUrl: text(
    'diffusion',
    '--media-output-fs-url --fs-url',
    'DYN_MEDIA_OUTPUT_FS_URL',
    'file:///tmp/dynamo_media',
    'Where finished images and videos are kept: file:///FOLDER or s3://BUCKET/PREFIX; where workers are apart, by the frontend',
  ),
  mediaHttpUrl: text(
    'diffusion',
    '--media-output-http-url --http-url',
    'DYN_MEDIA_OUTPUT_HTTP_URL',
    undefined,
    'What the addresses in answers begin with, for a server of your own over that place; absent: this server, under /media',
  ),
  mediaMaxGb: decimal(
    'diffusion',
    '--media-max-gb',
    'DYN_MEDIA_MAX_GB',
    undefined,
    'Room for finished files, in GB; the oldest go first. No limit when absent',
    { min: 0.000001 },
  ),
  mediaMaxAgeHours: decimal(
    'diffusion',
    '--media-max-age-hours --media-max-age',
    'DYN_MEDIA_MAX_AGE_HOURS',
    undefined,
    'Files older than so many hours are removed. No limit when absent',
    { min: 0.000001 },
  ),
  mediaJobsFolder: text(
    'diffusion',
    '--media-jobs-folder',
    'DYN_MEDIA_JOBS_FOLDER',
    undefined,
    'Where the states of video jobs are kept over restarts; absent: in the cache folder',
  ),
  mediaQueueLimit: integer(
    'diffusion',
    '--media-queue-limit',
    'DYN_MEDIA_QUEUE_LIMIT',
    256,
    'Jobs that may wait for one engine; more are refused as overloaded',
    { ...engine, min: 1 },
  ),
  gpuKernels: choice(
    'diffusion',
    '--gpu-kernels',
    'DYN_GPU_KERNELS',
    ['auto', 'webgpu', 'cpu'],
    'auto',
    'Where previews and colours are computed: auto takes what was measured to be faster',
    engine,
  ),
  videoEncoder: text(
    'diffusion',
    '--video-encoder',
    'DYN_VIDEO_ENCODER',
    undefined,
    'Encoder of ffmpeg to use (libsvtav1, libvpx-vp9, libx264, …); absent: the first that works, see doctor',
    engine,
  ),
  ffmpeg: text(
    'diffusion',
    '--ffmpeg',
    'DYN_FFMPEG',
    'ffmpeg',
    'ffmpeg program; without one that of the SGLang environment is used (imageio-ffmpeg); with none, videos are animated WebP files',
    engine,
  ),
  mmAllowInternal: flag(
    'diffusion',
    '',
    'DYN_MM_ALLOW_INTERNAL',
    'Images may be fetched by http and from private addresses; else only https and public ones',
  ),
  mmLocalPath: text('diffusion', '', 'DYN_MM_LOCAL_PATH', undefined, 'Folder from which requests may name images by file://'),
  mmMaxDataUrlMb: decimal('diffusion', '', 'DYN_MM_MAX_DATA_URL_MB', undefined, 'Largest image in a data: address, in MB', { min: 0 }),
}
