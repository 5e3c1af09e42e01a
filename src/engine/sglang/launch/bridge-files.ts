// The Python side, embedded in the executable and written to disk when it is needed. A test compares this list with the folder.
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { AppError } from '../../../lib/errors.ts'
import init from '../bridge/__init__.py' with { type: 'text' }
import entry from '../bridge/__main__.py' with { type: 'text' }
import channel from '../bridge/channel.py' with { type: 'text' }
import compat from '../bridge/compat.py' with { type: 'text' }
import grammar from '../bridge/continued/grammar.py' with { type: 'text' }
import penalties from '../bridge/continued/penalties.py' with { type: 'text' }
import control from '../bridge/control.py' with { type: 'text' }
import disagg from '../bridge/facts/disagg.py' with { type: 'text' }
import dllm from '../bridge/facts/dllm.py' with { type: 'text' }
import kvEvents from '../bridge/facts/kv_events.py' with { type: 'text' }
import nodes from '../bridge/facts/nodes.py' with { type: 'text' }
import ready from '../bridge/facts/ready.py' with { type: 'text' }
import sight from '../bridge/facts/sight.py' with { type: 'text' }
import failure from '../bridge/failure.py' with { type: 'text' }
import imports from '../bridge/imports.py' with { type: 'text' }
import left from '../bridge/left.py' with { type: 'text' }
import mainModule from '../bridge/main.py' with { type: 'text' }
import manager from '../bridge/manager.py' with { type: 'text' }
import node from '../bridge/node.py' with { type: 'text' }
import outputs from '../bridge/outputs.py' with { type: 'text' }
import clips from '../bridge/requests/clips.py' with { type: 'text' }
import intake from '../bridge/requests/intake.py' with { type: 'text' }
import lock from '../bridge/requests/lock.py' with { type: 'text' }
import pictures from '../bridge/requests/pictures.py' with { type: 'text' }
import render from '../bridge/requests/render.py' with { type: 'text' }
import request from '../bridge/requests/request.py' with { type: 'text' }
import rows from '../bridge/requests/rows.py' with { type: 'text' }
import sounds from '../bridge/requests/sounds.py' with { type: 'text' }
import stream from '../bridge/requests/stream.py' with { type: 'text' }
import scheduler from '../bridge/scheduler.py' with { type: 'text' }
import serve from '../bridge/serve.py' with { type: 'text' }
import wire from '../bridge/wire.py' with { type: 'text' }
import { diffusionFiles } from './diffusion-files.ts'

/** Path below the package → text. */
export const bridgeFiles: Readonly<Record<string, string>> = {
  ...diffusionFiles,
  '__init__.py': init,
  '__main__.py': entry,
  'channel.py': channel,
  'compat.py': compat,
  'control.py': control,
  'facts/disagg.py': disagg,
  'facts/dllm.py': dllm,
  'failure.py': failure,
  'continued/grammar.py': grammar,
  'requests/clips.py': clips,
  'requests/intake.py': intake,
  'facts/kv_events.py': kvEvents,
  'node.py': node,
  'facts/nodes.py': nodes,
  'requests/lock.py': lock,
  'imports.py': imports,
  'left.py': left,
  'main.py': mainModule,
  'manager.py': manager,
  'outputs.py': outputs,
  'continued/penalties.py': penalties,
  'facts/ready.py': ready,
  'requests/pictures.py': pictures,
  'requests/render.py': render,
  'requests/request.py': request,
  'requests/rows.py': rows,
  'scheduler.py': scheduler,
  'serve.py': serve,
  'facts/sight.py': sight,
  'requests/sounds.py': sounds,
  'requests/stream.py': stream,
  'wire.py': wire,
}

const packageName = 'dsgl_bridge'

/**
 * Writes the files to `<cache>/bridge-<hash>/dsgl_bridge/`, in one rename, unless they are there, and returns that folder.
 * The path stays: SGLang's child processes import it again. Rejects with AppError `invalid_setting` when the cache cannot be written.
 */
export async function unpackBridge(cacheDir: string, files: Readonly<Record<string, string>> = bridgeFiles): Promise<string> {
  const hash = createHash('sha256')
  for (const [name, text] of Object.entries(files).sort()) hash.update(`${name}\0${text}\0`)
  const target = join(cacheDir, `bridge-${hash.digest('hex').slice(0, 16)}`)
  const folder = join(target, packageName)
  if (existsSync(folder)) return folder
  try {
    await mkdir(cacheDir, { recursive: true })
    const fresh = await mkdtemp(join(cacheDir, 'unpacking-'))
    for (const [name, text] of Object.entries(files)) {
      const path = join(fresh, packageName, name)
      await mkdir(dirname(path), { recursive: true })
      await writeFile(path, text)
    }
    await rename(fresh, target).catch(async (thrown) => {
      // Another process was faster: its files are the same.
      await rm(fresh, { recursive: true, force: true })
      if (!existsSync(folder)) throw thrown
    })
  } catch (thrown) {
    throw new AppError('invalid_setting', {
      message: `The cache folder ${cacheDir} cannot be written: ${thrown instanceof Error ? thrown.message : thrown}`,
      cause: thrown,
    })
  }
  return folder
}
