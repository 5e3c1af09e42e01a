// What can be said of a seeing model's files before the process opens: only where it is to see, so that others load nothing for it.
import type { ModelOptions, VisionOptions } from '../../serve/options.ts'

/** Rejects with a start-up AppError. */
export async function checkSeeing(options: { model: Pick<ModelOptions, 'path' | 'mustSee'>; vision?: VisionOptions }): Promise<void> {
  if (options.model.mustSee === undefined && options.vision === undefined) return
  await (await import('../../serve/vision/check.ts')).checkSeeing(options)
}
