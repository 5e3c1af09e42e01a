// What the index is put under: prompts of 512 blocks (32k ids at 64 a block), all different, each on two workers, told in events of 16 blocks.

export const depth = 512
export const eventBlocks = 16
export const sharers = 2
export const matches = 500

/** Content hashes of a prompt's blocks. */
export function localOf(prompt: number): Uint32Array {
  const local = new Uint32Array(2 * depth)
  for (let i = 0; i < depth; i++) {
    local[2 * i] = Math.imul(prompt * depth + i, 0x9e37_79b1)
    local[2 * i + 1] = prompt + 1
  }
  return local
}

/** CPU time of this process: other work on the machine counts less than in wall time. */
export function cpuMicros(): number {
  const { user, system } = process.cpuUsage()
  return user + system
}

export function middle(values: number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!
}
