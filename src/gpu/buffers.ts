// Device buffers that are used again: making one costs more than most kernels, and bun-webgpu keeps a native callback for each.

export interface BufferPool {
  /** A buffer of at least `bytes` (a power of two, 256 at least) with exactly this usage. Its contents are anything. */
  take(bytes: number, usage: GPUBufferUsageFlags): GPUBuffer
  /** Back into the pool, unmapped. */
  give(buffer: GPUBuffer): void
  /** Destroys what is idle; what is given back later is destroyed then. */
  drop(): void
  /** Bytes of idle buffers. */
  idle(): number
}

const mostIdleBytes = 256 << 20

export function bufferPool(device: Pick<GPUDevice, 'createBuffer'>): BufferPool {
  const free = new Map<string, GPUBuffer[]>()
  let idle = 0
  let dropped = false
  const keyOf = (size: number, usage: number) => `${size} ${usage}`
  return {
    take(bytes, usage) {
      const size = Math.max(256, 2 ** Math.ceil(Math.log2(bytes)))
      const found = free.get(keyOf(size, usage))?.pop()
      if (found === undefined) return device.createBuffer({ size, usage })
      idle -= size
      return found
    },
    give(buffer) {
      if (dropped || idle + buffer.size > mostIdleBytes) return buffer.destroy()
      const key = keyOf(buffer.size, buffer.usage)
      const list = free.get(key)
      if (list === undefined) free.set(key, [buffer])
      else list.push(buffer)
      idle += buffer.size
    },
    drop() {
      dropped = true
      idle = 0
      for (const list of free.values()) for (const buffer of list) buffer.destroy()
      free.clear()
    },
    idle: () => idle,
  }
}
