// The one table of settings, group by group (groups/). Type, help, environment, file keys and validation are derived from it.
import { admissionSettings } from './groups/admission.ts'
import { compatSettings } from './groups/compat.ts'
import { diffusionSettings } from './groups/diffusion.ts'
import { disaggregationSettings } from './groups/disaggregation.ts'
import { discoverySettings } from './groups/discovery.ts'
import { encodeSettings } from './groups/encode.ts'
import { engineSettings } from './groups/engine.ts'
import { httpSettings } from './groups/http.ts'
import { laterSettings } from './groups/later.ts'
import { lifetimeSettings } from './groups/lifetime.ts'
import { mockSettings } from './groups/mock.ts'
import { modelSettings } from './groups/model.ts'
import { parsersSettings } from './groups/parsers.ts'
import { planesSettings } from './groups/planes.ts'
import { routingSettings } from './groups/routing.ts'
import { visionSettings } from './groups/vision.ts'
import { workerSettings } from './groups/worker.ts'
import type { Command, ValueOf } from './setting.ts'

export const table = {
  ...httpSettings,
  ...modelSettings,
  ...engineSettings,
  ...mockSettings,
  ...workerSettings,
  ...diffusionSettings,
  ...encodeSettings,
  ...visionSettings,
  ...parsersSettings,
  ...routingSettings,
  ...admissionSettings,
  ...disaggregationSettings,
  ...discoverySettings,
  ...planesSettings,
  ...lifetimeSettings,
  ...compatSettings,
  ...laterSettings,
}

export type SettingName = keyof typeof table
export type Values = { [Name in SettingName]: ValueOf<(typeof table)[Name]> }

/** Everything the user asked for, checked. What parseSettings returns; nothing reads the environment after it. */
export interface Settings extends Omit<Values, 'engine' | 'endpoint' | 'healthCheckPayload' | 'discoveryBackend' | 'fileKv'> {
  command: Command
  /** Of a frontend it means nothing: its engines are other processes. */
  engine: 'sglang' | 'mock' | 'http'
  /** Of a diffusion worker; absent: text. */
  makes: 'image' | 'video' | undefined
  /**
   * Its part where pictures are encoded apart from the language model: `encode` makes rows of them, `language` reads rows that encoders make, `processor` is what
   * our frontends do anyway. Absent: the engine encodes, or there are no pictures.
   */
  visionRole: 'encode' | 'language' | 'processor' | undefined
  /** The model path is the role's usual one: nobody gave one. */
  standardModel: boolean
  /** Always whole: dyn://namespace.component.endpoint. */
  endpoint: string
  healthCheckPayload: Record<string, unknown> | undefined
  /** Never open: what was given, or what follows from the rest. */
  discoveryBackend: NonNullable<Values['discoveryBackend']>
  /** The folder of file discovery; the user's own one when none was given. */
  fileKv: string
  /** It was not given: it lies where every user of the machine may write, so it is checked before it is trusted. */
  fileKvIsShared: boolean
  /** SGLang's arguments: every flag that is not ours alone, verbatim and in order, and what our flags imply. */
  engineArgs: string[]
  /** Lines to show at start: what is accepted without effect, deprecated or ignored. */
  notices: string[]
}
