// The handlers of every media route over one MediaApi.
import { imageContentHandler } from '../../openai/images/content.ts'
import { editsHandler } from '../../openai/images/edits.ts'
import { generationsHandler } from '../../openai/images/generations.ts'
import type { MediaApi } from '../../openai/media/api.ts'
import { mediaHandler } from '../../openai/media/serve.ts'
import { videoContentHandler } from '../../openai/videos/content.ts'
import { videosHandler } from '../../openai/videos/create.ts'
import { cancelVideoHandler, listVideosHandler, oneVideoHandler, refuseVideoHandler, removeVideoHandler } from '../../openai/videos/jobs.ts'
import { videoStreamHandler } from '../../openai/videos/mjpeg.ts'
import type { MediaHandlers } from './media-front.ts'

export function mediaHandlers(api: MediaApi): MediaHandlers {
  return {
    generateImages: generationsHandler(api),
    editImages: editsHandler(api),
    imageContent: imageContentHandler(api),
    createVideo: videosHandler(api),
    streamVideo: videoStreamHandler(api),
    listVideos: listVideosHandler(api),
    oneVideo: oneVideoHandler(api),
    videoContent: videoContentHandler(api),
    cancelVideo: cancelVideoHandler(api),
    removeVideo: removeVideoHandler(api),
    remixVideo: refuseVideoHandler('remix'),
    editVideo: refuseVideoHandler('edits'),
    extendVideo: refuseVideoHandler('extensions'),
    videoCharacters: refuseVideoHandler('characters'),
    file: mediaHandler(api.store),
  }
}
