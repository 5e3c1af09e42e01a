// Operators hear at the start that clips or files will be refused.
import { afterEach, expect, spyOn, test } from 'bun:test'
import { log } from '../../src/lib/log.ts'
import { noteFfmpeg, noteFolder } from '../../src/serve/input-policy.ts'

const input = { allowInternal: false, localPath: undefined, maxDataUrlMb: undefined }
const warn = spyOn(log, 'warn').mockImplementation(() => {})
afterEach(() => void warn.mockClear())

test('an ffmpeg that is not there is told, with its name', () => {
  noteFfmpeg({ ...input, ffmpeg: '/nowhere/ffmpeg' })
  expect(warn.mock.calls).toEqual([[{ ffmpeg: '/nowhere/ffmpeg' }, expect.stringContaining('clips in chats are refused')]])
})

test('one that is there, or none by choice, is no news', () => {
  noteFfmpeg({ ...input, ffmpeg: process.execPath })
  noteFfmpeg({ ...input, ffmpeg: null })
  expect(warn).not.toHaveBeenCalled()
})

test('a folder for file:// that is not there, or is none, is told', () => {
  for (const localPath of ['/nowhere/pictures', import.meta.path]) noteFolder({ ...input, localPath })
  expect(warn.mock.calls).toEqual(
    ['/nowhere/pictures', import.meta.path].map((folder) => [{ folder }, expect.stringContaining('DYN_MM_LOCAL_PATH names no folder')]),
  )
  warn.mockClear()
  for (const localPath of [import.meta.dir, undefined]) noteFolder({ ...input, localPath })
  expect(warn).not.toHaveBeenCalled()
})
