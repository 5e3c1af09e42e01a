import { expect, test } from 'bun:test'
import { openClipFile } from '../../../../src/media/input/clip/child.ts'

test.each(['/no/such/folder', import.meta.path])('no place for temporary files (%s): told as that', (folder) => {
  const before = process.env.TMPDIR
  process.env.TMPDIR = folder
  try {
    expect(() => openClipFile(new Uint8Array(8), 'mov')).toThrow(expect.objectContaining({ code: 'storage_failed' }))
  } finally {
    if (before === undefined) delete process.env.TMPDIR
    else process.env.TMPDIR = before
  }
})
