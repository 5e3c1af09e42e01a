// The checks of `doctor` for clips and sounds in chats: who reads them, and with which ffmpeg.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { toAppError } from '../../lib/errors.ts'
import type { HearingModel } from '../../media/hearing/hearing.ts'
import { hearingModelOf } from '../../media/hearing/open.ts'
import { visionModelOf } from '../../media/vision/open.ts'
import type { Settings } from '../settings/settings.ts'
import { type Finding, fail, ok, warn } from './finding.ts'

type Role = Pick<Settings, 'command' | 'makes' | 'visionRole' | 'enableMultimodal' | 'modelPath' | 'encoderPort' | 'encoderRegisterUrls'>

/** Whether this process would read clips of users. Of workers that is one that serves SGLang's own language servers; the clips of others are read by frontends. */
export async function readsClips(settings: Role): Promise<boolean> {
  const { command, makes, visionRole, enableMultimodal, modelPath, encoderPort, encoderRegisterUrls } = settings
  if (makes !== undefined) return false
  if (command === 'worker' && (visionRole !== 'encode' || (encoderPort === undefined && encoderRegisterUrls.length === 0))) return false
  if (modelPath === undefined || !existsSync(join(modelPath, 'config.json'))) return visionRole !== undefined || enableMultimodal
  // What is wrong with its files is said where pictures are checked.
  const model = await visionModelOf(modelPath).catch(() => undefined)
  return model?.clips !== undefined
}

/** `named`: --ffmpeg. */
export function checkClips(named: string): Finding {
  if (named === 'none') return ok('clips in chats: refused, as --ffmpeg none says')
  const program = Bun.which(named)
  if (program !== null) return ok(`clips in chats: decoded by ${program}`)
  return warn(
    `clips in chats: no ffmpeg was found${named === 'ffmpeg' ? '' : ` at ${named} (--ffmpeg)`}; requests with clips are refused (400), pictures are read`,
    'install ffmpeg (the package ffmpeg), or name one with --ffmpeg',
  )
}

/** Of a model that hears, and a process that reads its users' sounds (the frontend reads those of workers). */
export async function checkSounds(settings: Pick<Settings, 'command' | 'makes' | 'modelPath' | 'ffmpeg'>): Promise<Finding[]> {
  const { command, makes, modelPath, ffmpeg } = settings
  if (command === 'worker' || makes !== undefined || modelPath === undefined || !existsSync(join(modelPath, 'config.json'))) return []
  let hearing: HearingModel | undefined
  try {
    hearing = await hearingModelOf(modelPath)
  } catch (thrown) {
    return [fail(`sounds in chats: ${toAppError(thrown).message}`, 'the model does not start so; fetch its files again')]
  }
  if (hearing === undefined) return []
  const what = `sounds in chats (${hearing.family}, up to ${hearing.windowSecs} seconds)`
  const program = ffmpeg === 'none' ? null : Bun.which(ffmpeg)
  if (program !== null) return [ok(`${what}: decoded by ${program}`)]
  const plain = 'only WAV files of 16 kHz, one channel and 16 bits are read, others are refused (400)'
  if (ffmpeg === 'none') return [ok(`${what}: ${plain}, as --ffmpeg none says`)]
  return [warn(`${what}: no ffmpeg was found; ${plain}`, 'install ffmpeg (the package ffmpeg), or name one with --ffmpeg')]
}
