// The process in which a tower runs: ONNX Runtime blocks its thread while it computes, so it gets an event loop of its own, and its memory goes back and
// its crashes stay there when it ends. Speaks messages.ts on stdin and stdout; ends when stdin does.
import { AppError, toAppError } from '../../../lib/errors.ts'
import { log } from '../../../lib/log.ts'
import { visionModelOf } from '../../../media/vision/open.ts'
import type { VisionModel } from '../../../media/vision/vision.ts'
import { itemHash } from '../embeddings.ts'
import { openOnDevice } from './device.ts'
import { type FromProcess, frame, messages, type Opening, type Task, type ToProcess } from './messages.ts'
import { narrow } from './narrow.ts'
import { type Prepared, prepare } from './prepare.ts'
import { joined, type Tower } from './runtime.ts'
import { checkSameModel } from './same-model.ts'
import { readTowerFacts } from './tower-file.ts'

/**
 * Families whose full attention runs over a whole clip in SGLang (srt/models/qwen2_5_vl.py, 0.5.23: cu_seqlens of t × h × w), where transformers attends
 * frame by frame.
 */
const attendsOverClips = new Set(['qwen2_5_vl'])

interface Opened {
  opening: Opening
  model: VisionModel
  tower: Tower
}

/** `write` takes a whole message and resolves when more may follow. Resolves when `input` ends. */
export async function runEncoderProcess(input: AsyncIterable<Uint8Array>, write: (parts: Uint8Array[]) => Promise<void>): Promise<void> {
  const dropped = new Set<number>()
  let opened: Opened | undefined
  // Batches run one after another; the files of the next one are decoded meanwhile.
  let running: Promise<void> = Promise.resolve()
  for await (const { head, body } of messages<ToProcess>(input)) {
    if (head.kind === 'drop') dropped.add(head.id)
    else if (head.kind === 'open') {
      try {
        opened = await open(head)
        const { tower, model } = opened
        const { facts, device, fused, runtime } = tower
        const msPerPatch = await paceOf(tower)
        await write(frame({ kind: 'open', facts, device, fused, runtime, settings: model.settings, msPerPatch }))
      } catch (thrown) {
        const { code, message, param } = toAppError(thrown)
        // What is the user's to mend is told once, by who started this process.
        if (!(thrown instanceof AppError)) log.error({ err: thrown }, 'the vision tower cannot be opened')
        await write(frame({ kind: 'refused', code, message, param }))
      }
    } else if (opened !== undefined) {
      const here = opened
      const prepared = prepareAll(here, head.tasks, body)
      running = running.then(async () => runBatch(here, head.tasks, await prepared, dropped, write))
    }
  }
  await running
  await opened?.tower.close()
}

async function open(opening: Opening): Promise<Opened> {
  const model = await visionModelOf(opening.modelPath)
  if (model === undefined) {
    throw new AppError('model_files_invalid', { param: '--model-path', message: `${opening.modelPath} is a model of text only.` })
  }
  const { tower, device, threads } = opening
  await checkSameModel(await readTowerFacts(tower, '--vision-tower', opening.modelPath), opening.modelPath)
  return { opening, model, tower: await openOnDevice({ tower, device, threads }) }
}

/** Patches along the side of the picture that tells the pace. */
const trialSide = 16

/** The first run pays for what is made once, the second tells. */
async function paceOf(tower: Tower): Promise<number> {
  const { channels, temporal, patch } = tower.facts
  const patches = trialSide ** 2
  const pixels = new Float32Array(patches * channels * temporal * patch ** 2)
  const run = () => tower.run(pixels, { frames: 1, height: trialSide, width: trialSide })
  await run()
  const begun = performance.now()
  await run()
  return (performance.now() - begun) / patches
}

type Outcome = Prepared | AppError

/** Never rejects: a picture at fault has its error. */
function prepareAll({ opening, model }: Opened, tasks: readonly Task[], body: Uint8Array): Promise<Outcome[]> {
  let at = 0
  return Promise.all(
    tasks.map((task) => {
      const files = task.sizes.map((size) => {
        at += size
        return body.subarray(at - size, at)
      })
      return prepare(model, opening.backend, opening.maxPixels, task, files).catch(toAppError)
    }),
  )
}

/** Answers each task once. */
async function runBatch(
  { opening, tower }: Opened,
  tasks: readonly Task[],
  prepared: readonly Outcome[],
  dropped: Set<number>,
  write: (parts: Uint8Array[]) => Promise<void>,
): Promise<void> {
  const send = (message: FromProcess, body: Uint8Array[] = []) => write(frame(message, body))
  const good: { task: Task; done: Prepared }[] = []
  for (const [i, task] of tasks.entries()) {
    const done = prepared[i]!
    if (dropped.delete(task.id)) {
      if (!(done instanceof AppError)) done.release()
      await send({ kind: 'failed', id: task.id, code: 'client_closed_request', message: 'dropped' })
    } else if (done instanceof AppError) await send({ kind: 'failed', id: task.id, code: done.code, message: done.message })
    else good.push({ task, done })
  }
  if (good.length === 0) return
  const [perTask, height, width] = good[0]!.task.grid
  const size = { frames: good.length * perTask, height, width }
  const groups = opening.clips === 'sglang' && attendsOverClips.has(tower.facts.family) ? { groups: good.length } : {}
  const started = performance.now()
  let rows: Float32Array
  try {
    rows = await tower.run(joined(good.map(({ done }) => done.values)), { ...size, ...groups })
  } catch (thrown) {
    log.error({ err: thrown }, 'the vision tower failed')
    const { code, message } = toAppError(thrown)
    for (const { task } of good) await send({ kind: 'failed', id: task.id, code, message })
    return
  } finally {
    for (const { done } of good) done.release()
  }
  const encode = performance.now() - started
  const count = (perTask * height * width) / tower.facts.merge ** 2
  let at = 0
  for (const { task, done } of good) {
    const bytes = narrow(rows.subarray(at * tower.facts.width, (at + count) * tower.facts.width), opening.type)
    at += count
    const stages = { decode: done.decode, preprocess: done.preprocess, encode }
    const said = { kind: 'rows', id: task.id, rows: count, grid: task.grid, itemHash: String(itemHash(bytes)), stages } as const
    await send(said, [bytes])
    dropped.delete(task.id)
  }
}
