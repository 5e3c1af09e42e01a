// One answer with all pictures, when the last one is done.
import { clientGone } from '../../lib/errors.ts'
import { type Call, json, nowSecs } from '../call.ts'
import type { ImagesApi } from '../media/api.ts'
import { publicUrl } from '../media/public-url.ts'
import { base64Of, type Shown } from '../media/shown.ts'
import { imagesBody } from './answer.ts'
import type { ImageJob } from './request.ts'
import { startSaving } from './saved.ts'

/** Rejects with an AppError; then no file is left. */
export async function wholeAnswer(job: ImageJob, call: Call, api: ImagesApi): Promise<Response> {
  const created = nowSecs()
  const made = await api.media.make(job.request, {}, call.signal)
  const shown = job.answer === 'b64_json' ? made.files.map(base64Of) : await save()
  call.outcome({ workerId: made.workerId })
  return json(imagesBody(job, created, made, shown), { 'x-worker-id': made.workerId })

  async function save(): Promise<Shown[]> {
    const saving = startSaving(api.store, job)
    try {
      const urls = await allOrFirst(made.files.map((file, i) => saving.save(i, file)))
      await saving.finish()
      if (call.signal.aborted) throw clientGone()
      return urls.map((url) => ({ url: publicUrl(url, call) }))
    } catch (thrown) {
      await saving.undo()
      throw thrown
    }
  }
}

/** Waits for all, also when one fails: what still runs could not be undone. */
async function allOrFirst<T>(promises: readonly Promise<T>[]): Promise<T[]> {
  await Promise.allSettled(promises)
  return Promise.all(promises)
}
