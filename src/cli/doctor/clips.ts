// The check of `doctor` for clips in chats: who reads them, and with which ffmpeg.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { visionModelOf } from '../../media/vision/open.ts'
import type { Settings } from '../settings/settings.ts'
import { type Finding, ok, warn } from './finding.ts'

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
