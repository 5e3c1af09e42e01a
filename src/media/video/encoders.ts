// The encoders of ffmpeg that we use, best first: hardware, then software whose codec costs no royalties, then x264.

export interface VideoEncoder {
  /** ffmpeg's name. */
  name: string
  hardware: boolean
  /** Before `-i`: devices. */
  device?: readonly string[]
  /** After it: quality, speed, and how frames reach the hardware. */
  options: readonly string[]
  /** Shortest and longest side that it takes, in pixels. */
  sides: readonly [least: number, most: number]
}

/** The size of the test frame: hardware is used from here on, because smaller pictures were not tried and many chips refuse them. */
export const testSide = 256

const vaapi = { hardware: true, device: ['-vaapi_device', '/dev/dri/renderD128'] } as const
const upload = ['-vf', 'format=nv12,hwupload'] as const

/**
 * Quality: settings that look alike at a glance (about 40 dB on rendered clips), at a speed that keeps up with any model.
 * Of the hardware's codecs H.264 comes last, like in software: AV1 is half the size and plays wherever Chromium or Firefox does.
 */
export const encoders: readonly VideoEncoder[] = [
  { name: 'av1_nvenc', hardware: true, options: ['-preset', 'p4', '-rc', 'vbr', '-cq', '30', '-b:v', '0'], sides: [testSide, 8192] },
  { name: 'h264_nvenc', hardware: true, options: ['-preset', 'p4', '-rc', 'vbr', '-cq', '23', '-b:v', '0'], sides: [testSide, 4096] },
  { name: 'av1_qsv', hardware: true, options: ['-vf', 'format=nv12', '-global_quality', '28'], sides: [testSide, 8192] },
  { name: 'h264_qsv', hardware: true, options: ['-vf', 'format=nv12', '-global_quality', '23'], sides: [testSide, 4096] },
  { name: 'av1_vaapi', ...vaapi, options: [...upload, '-rc_mode', 'CQP', '-global_quality', '110'], sides: [testSide, 8192] },
  { name: 'h264_vaapi', ...vaapi, options: [...upload, '-rc_mode', 'CQP', '-qp', '23'], sides: [testSide, 4096] },
  { name: 'libsvtav1', hardware: false, options: ['-preset', '10', '-crf', '30'], sides: [64, 8192] },
  {
    name: 'libvpx-vp9',
    hardware: false,
    options: ['-deadline', 'realtime', '-cpu-used', '7', '-row-mt', '1', '-crf', '28', '-b:v', '0'],
    sides: [2, 16384],
  },
  { name: 'libx264', hardware: false, options: ['-preset', 'veryfast', '-crf', '20'], sides: [2, 16384] },
]

/** Sizes of a file: 4:2:0 halves colour, so an odd side gets one more column or row. */
export const even = (side: number): number => side + (side % 2)

/** ffmpeg's words for raw BT.709 limited frames on its standard input and a tagged MP4 at `output`. Frames are never rescaled. */
export function ffmpegArguments(clip: { width: number; height: number; fps: number }, encoder: VideoEncoder, output: string): string[] {
  const colours = ['-color_range', 'tv', '-colorspace', 'bt709', '-color_primaries', 'bt709', '-color_trc', 'bt709']
  return [
    ...['-hide_banner', '-nostats', '-loglevel', 'error', '-y'],
    ...(encoder.device ?? []),
    ...['-f', 'rawvideo', '-pix_fmt', 'yuv420p', '-video_size', `${clip.width}x${clip.height}`, '-framerate', String(clip.fps)],
    ...[...colours, '-i', 'pipe:0', '-map', '0:v', '-c:v', encoder.name, ...encoder.options],
    ...(encoder.hardware ? [] : ['-pix_fmt', 'yuv420p']),
    // Left is where kernels/rgb-to-yuv420 puts chroma. The same request must give the same bytes: no dates and versions in the file.
    ...[...colours, '-chroma_sample_location', 'left', '-map_metadata', '-1', '-fflags', '+bitexact', '-flags:v', '+bitexact'],
    ...['-movflags', '+faststart+write_colr', '-f', 'mp4', output],
  ]
}
