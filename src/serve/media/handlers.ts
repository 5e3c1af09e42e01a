// The handlers of every media route over one MediaApi.
import type { Call } from '../../openai/call.ts'
import { imageContent } from '../../openai/images/content.ts'
import { editsHandler } from '../../openai/images/edits.ts'
import { generationsHandler } from '../../openai/images/generations.ts'
import type { MediaApi } from '../../openai/media/api.ts'
import type { MediaHandlers } from './routes.ts'

export function mediaHandlers(api: MediaApi): MediaHandlers {
  return {
    generateImages: generationsHandler(api),
    editImages: editsHandler(api),
  }
}
