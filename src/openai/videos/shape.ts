// Videos as JSON: OpenAI's Video with its clips, and Dynamo's answer as the same with its own members.
import type { JobFile, MediaJob } from '../../pipeline/media/jobs/job.ts'
import type { EncodedFile } from '../../pipeline/media/media.ts'
import type { Shown } from '../media/shown.ts'

/** `clipOf` says where the client finds a file. */
export function jobBody(job: MediaJob, clipOf: (file: JobFile) => Shown) {
  return {
    id: job.id,
    object: 'video' as const,
    status: job.status,
    progress: job.progress,
    ...(job.ahead === undefined ? {} : { queue_position: job.ahead }),
    created_at: secs(job.createdMs),
    completed_at: job.endedMs === undefined ? null : secs(job.endedMs),
    expires_at: job.expiresMs === undefined ? null : secs(job.expiresMs),
    model: job.model,
    prompt: job.prompt,
    size: `${job.width}x${job.height}`,
    seconds: job.seconds,
    num_frames: job.frames,
    fps: job.fps,
    seed: job.seed ?? null,
    error: job.error ?? null,
    remixed_from_video_id: null,
    data: job.files.map((file) => clipBody(file, clipOf(file))),
    ...(job.ms === undefined ? {} : { inference_time_s: Math.round(job.ms.engine) / 1000 }),
  }
}

/** One member of `data`. */
export function clipBody(file: Pick<JobFile | EncodedFile, 'extension' | 'fps' | 'note'>, shown: Shown) {
  return {
    ...shown,
    output_format: file.extension,
    ...(file.fps === undefined ? {} : { fps: file.fps }),
    ...(file.note === undefined ? {} : { note: file.note }),
  }
}

function secs(ms: number): number {
  return Math.floor(ms / 1000)
}
