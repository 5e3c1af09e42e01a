// Which models make images and clips here, by which names, and who makes them.
import { AppError } from '../../lib/errors.ts'
import type { MediaMaker, ServedMedia } from './media.ts'
import { type Room, roomOf } from './place.ts'

export interface MediaModel {
  readonly served: ServedMedia
  readonly makers: readonly MediaMaker[]
}

export interface MediaRegistry {
  /** A model that is there already is replaced. */
  add(served: ServedMedia, makers: readonly MediaMaker[]): void
  remove(id: string): void
  all(): readonly MediaModel[]
  /** By id or alias, else the first of the kind. Throws `model_not_found`, or `engine_unavailable` while nothing is served yet. */
  find(kind: 'image' | 'video', name: string | undefined): MediaModel
  /** By id or alias, of either kind; throws `model_not_found`. */
  named(name: string): MediaModel
  /** What the makers of a model hold and could hold, by its id; undefined while it has none. */
  room(id: string): Room | undefined
}

const nouns = { image: 'images', video: 'videos' }

export function mediaRegistry(): MediaRegistry {
  let models: MediaModel[] = []

  function named(name: string): MediaModel {
    const model = models.find(({ served }) => served.id === name || served.aliases.includes(name))
    if (model !== undefined) return model
    const shown = name.length > 200 ? `${name.slice(0, 200)}…` : name
    throw new AppError('model_not_found', { message: `The model '${shown}' is not served here. ${list(models)}`, param: 'model' })
  }

  return {
    add(served, makers) {
      models = [...models.filter((other) => other.served.id !== served.id), { served, makers }]
    },
    remove(id) {
      models = models.filter(({ served }) => served.id !== id)
    },
    all: () => models,
    named,
    room(id) {
      const makers = models.find(({ served }) => served.id === id)?.makers ?? []
      return makers.length === 0 ? undefined : roomOf(makers)
    },
    find(kind, name) {
      if (models.length === 0) {
        const message = `The server serves no model that makes ${nouns[kind]} yet; try again shortly.`
        throw new AppError('engine_unavailable', { message, retryAfterSecs: 5 })
      }
      const model = name === undefined ? models.find(({ served }) => served.makes === kind) : named(name)
      if (model?.served.makes === kind) return model
      const message =
        model === undefined
          ? `No model that makes ${nouns[kind]} is served here. ${list(models)}`
          : `The model '${model.served.id}' makes ${nouns[model.served.makes]}, not ${nouns[kind]}. ${list(models)}`
      throw new AppError('model_not_found', { message, param: 'model' })
    },
  }
}

function list(models: readonly MediaModel[]): string {
  return `Served: ${models.map(({ served }) => `${served.id} (${nouns[served.makes]})`).join(', ')}.`
}
