// The most memory that a child may take which reads a stranger's file: the kernel refuses it more. What a file claims is a few bytes, and what a reader sets aside
// for it may be gigabytes, in any container.
import { readFileSync } from 'node:fs'

/** Linux's RLIMIT_DATA: private writable memory. Neither libraries nor address space that is merely reserved count, so it means what is used. */
const data = 2
const libraries = ['libc.so.6', 'libc.so', 'libc.musl-x86_64.so.1', 'libc.musl-aarch64.so.1']

type Limit = (pid: number, bytes: number) => boolean

let known: Limit | undefined

/** Of a process of ours, and of all that it starts from now on. Returns false where the system has no such call or does not allow it. */
export function limitMemory(pid: number, bytes: number): boolean {
  known ??= open()
  return known(pid, bytes)
}

/** No shell and no program is needed for it, so that it also holds in a container that has none. */
function open(): Limit {
  for (const name of libraries) {
    const limit = limitOf(name)
    if (limit !== undefined) return limit
  }
  return () => false
}

/** The call of this C library; undefined: this machine has another one, or none that can be called from here. */
function limitOf(library: string): Limit | undefined {
  try {
    const { dlopen, ptr } = require('bun:ffi') as typeof import('bun:ffi')
    const { prlimit } = dlopen(library, { prlimit: { args: ['i32', 'i32', 'ptr', 'ptr'], returns: 'i32' } }).symbols
    return (pid, bytes) => {
      const softAndHard = BigUint64Array.of(BigInt(bytes), BigInt(bytes))
      return prlimit(pid, data, ptr(softAndHard), null) === 0
    }
  } catch {
    return undefined // The caller tries the next one, and in the end watches the child instead (watchMemory).
  }
}

/** Between two looks: ffmpeg fills about 1.4 GB a second. */
const lookMs = 20

/** Looks at what a process has in memory, and calls `over` once when it is more than `bytes`: where the kernel cannot be asked to. The result ends it. */
export function watchMemory(pid: number, bytes: number, over: () => void): () => void {
  const timer = setInterval(() => {
    if (residentBytes(pid) <= bytes) return
    clearInterval(timer)
    over()
  }, lookMs)
  return () => clearInterval(timer)
}

/** 0 where that is not to be known: the process has ended, or there is no /proc. */
function residentBytes(pid: number): number {
  try {
    const kilobytes = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))
    return kilobytes === null ? 0 : Number(kilobytes[1]) * 1024
  } catch {
    return 0
  }
}
