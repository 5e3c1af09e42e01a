// How many frames a clip has and how fast they follow each other, counted packet by packet as torchcodec counts them (SGLang's decoder; its "exact" mode): what the
// head of a file says of it may be anything.

export interface Timeline {
  frames: number
  /** Frames a second on the average; 0 where the packets carry no times. */
  fps: number
  secs: number
  /** As the file stores them; a turn is not applied. */
  width: number
  height: number
}

/** ffmpeg's words that make it list the packets of the first real video stream (its covers are none), without decoding. */
export const listPackets: readonly string[] = ['-map', '0:V:0', '-c', 'copy', '-copyinkf', '-f', 'framecrc']

/** Reads that list (ffmpeg's framecrc format: `stream, dts, pts, duration, size, …`) piece by piece. */
export class PacketList {
  private rest = ''
  private readonly decoder = new TextDecoder('latin1')
  private tick = 0
  private width = 0
  private height = 0
  private first = Number.POSITIVE_INFINITY
  private end = Number.NEGATIVE_INFINITY
  frames = 0

  push(piece: Uint8Array): void {
    const lines = (this.rest + this.decoder.decode(piece, { stream: true })).split('\n')
    this.rest = lines.pop()!
    for (const line of lines) this.line(line)
  }

  get secs(): number {
    return this.frames === 0 ? 0 : Math.max(0, this.end - this.first) / this.tick
  }

  result(): Timeline {
    const { frames, secs, width, height } = this
    return { frames, fps: secs > 0 && Number.isFinite(secs) ? frames / secs : 0, secs, width, height }
  }

  private line(line: string): void {
    const base = /^#tb 0: (\d+)\/(\d+)/.exec(line)
    if (base !== null) this.tick = Number(base[2]) / Number(base[1])
    const size = /^#dimensions 0: (\d+)x(\d+)/.exec(line)
    if (size !== null) [this.width, this.height] = [Number(size[1]), Number(size[2])]
    if (!line.startsWith('0,')) return
    const [, , pts, duration] = line.split(',', 4).map(Number) as [number, number, number, number]
    this.frames++
    // A packet without a time says the smallest number there is.
    if (Number.isSafeInteger(pts)) {
      this.first = Math.min(this.first, pts)
      this.end = Math.max(this.end, pts + duration)
    }
  }
}
