// Which ffmpeg writes clips. Machines with SGLang often have none in their PATH and one all the same: SGLang's diffusion parts depend on imageio-ffmpeg.
import type { DiffusionEngineOptions } from '../options.ts'

/** What the settings say when nobody chose. */
export const usualFfmpeg = 'ffmpeg'

const question = 'import imageio_ffmpeg; print(imageio_ffmpeg.get_ffmpeg_exe())'
const askMs = 20_000

/** `named` if the user named one or has one (or null, without one); else the one that the engine's Python brings, if it does. Never rejects. */
export async function findFfmpeg(named: string | null, engine: DiffusionEngineOptions): Promise<string | null> {
  if (named !== usualFfmpeg || engine.kind !== 'sglang') return named
  const where = { PATH: engine.env.PATH ?? '' }
  const python = Bun.which(engine.python, where)
  if (Bun.which(named, where) !== null || python === null) return named
  const child = Bun.spawn([python, '-c', question], {
    env: { ...engine.env },
    stdio: ['ignore', 'pipe', 'ignore'],
    timeout: askMs,
    killSignal: 'SIGKILL',
  })
  const [said, code] = await Promise.all([new Response(child.stdout).text(), child.exited])
  const program = said.trim().split('\n').at(-1) ?? ''
  return code === 0 && program !== '' && Bun.which(program) !== null ? program : named
}
