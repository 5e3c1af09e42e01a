// Which run an error of the device belongs to: WebGPU's error scopes (W3C WebGPU, "Error Scopes"). They are a stack of the whole device, so a run opens
// and closes its own within one turn of the event loop, around all that it asks of the device; what overlaps is then told apart.

const kinds = ['validation', 'out-of-memory', 'internal'] as const

/** `work` must be synchronous: what another run asked between would be blamed on this one. `refusal` resolves to what the device held against it, and never rejects. */
export function inScopes<T>(device: GPUDevice, work: () => T): { done: T; refusal: Promise<string | undefined> } {
  for (const kind of kinds) device.pushErrorScope(kind)
  let refusal: Promise<string | undefined>
  let done: T
  try {
    done = work()
  } finally {
    refusal = firstOf(kinds.map(() => device.popErrorScope()))
  }
  return { done, refusal }
}

async function firstOf(scopes: readonly Promise<GPUError | null>[]): Promise<string | undefined> {
  try {
    return (await Promise.all(scopes)).find((error) => error !== null)?.message
  } catch (thrown) {
    return (thrown as Error).message
  }
}
