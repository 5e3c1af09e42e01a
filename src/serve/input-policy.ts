// Which pictures of users are read, out of the options.
import { defaultPolicy, type InputPolicy } from '../media/input/policy.ts'
import type { InputOptions } from './options.ts'

export function inputPolicy({ allowInternal, localPath, maxDataUrlMb }: InputOptions): InputPolicy {
  return {
    ...defaultPolicy,
    allowInternal,
    ...(localPath === undefined ? {} : { localPath }),
    ...(maxDataUrlMb === undefined ? {} : { maxDataUrlMb }),
  }
}
