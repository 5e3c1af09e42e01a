// What a killed engine left in shared memory and among temporary files goes with its socket folder, and nothing of others.
import { afterAll, expect, test } from 'bun:test'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { removeLeft } from '../../../../src/engine/sglang/launch/left.ts'
import { need } from '../../../helpers/need.ts'
import { cpuEnv, sglangPython } from '../../../helpers/sglang.ts'

const folder = mkdtempSync(join(tmpdir(), 'left-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test('files and folders of the noted names, whatever else is noted or lies there', () => {
  const [sockets, memory] = [join(folder, 'sockets'), join(folder, 'shm')]
  mkdirSync(sockets)
  mkdirSync(memory)
  const ours = 'sgldiffusion-request-0123456789abcdef_'
  const stays = ['sglang_loads_other_1.shm', 'sgldiffusion-request-fedcba9876543210_x', 'sem.mp-1', 'anything']
  for (const name of [...stays, 'sglang_loads_mine_1.shm']) writeFileSync(join(memory, name), '')
  for (const name of [`${ours}abc`, `${ours}abd.closed`]) {
    mkdirSync(join(memory, name))
    writeFileSync(join(memory, name, 'array.npy'), '')
  }
  const noted = [
    'sglang_loads_mine_1.shm',
    'sglang_loads_mine_1.shm',
    `${ours}*`,
    'anything',
    '../shm/anything',
    'sgldiffusion-request-*',
    '*',
  ]
  writeFileSync(join(sockets, 'left'), `${noted.map((name) => `/dev/shm/${name}`).join('\n')}\n${join(memory, 'anything')}\n`)
  removeLeft(sockets, memory)
  expect(readdirSync(memory).sort()).toEqual([...stays].sort())
})

test('noted sockets and empty files of temporary names, and none that hold something', () => {
  const [sockets, temporary] = [join(folder, 'more-sockets'), join(folder, 'tmp')]
  mkdirSync(sockets)
  mkdirSync(temporary)
  const server = Bun.listen({ unix: join(temporary, 'tmpsocket12'), socket: { data() {} } })
  for (const name of ['tmpempty_01', 'tmpothers01', 'mine']) writeFileSync(join(temporary, name), '')
  writeFileSync(join(temporary, 'tmpfull_012'), 'words')
  mkdirSync(join(temporary, 'tmpfolder01'))
  const noted = ['tmpsocket12', 'tmpempty_01', 'tmpfull_012', 'tmpfolder01', 'mine', 'tmpgone_012']
  writeFileSync(join(sockets, 'left'), `${noted.map((name) => join(temporary, name)).join('\n')}\n`)
  removeLeft(sockets)
  expect(readdirSync(temporary).sort()).toEqual(['mine', 'tmpfolder01', 'tmpfull_012', 'tmpothers01'])
  server.stop(true)
})

test('nothing noted, nothing removed', () => {
  removeLeft(join(folder, 'nowhere'))
})

const python = sglangPython()
test.skipIf(!need('a real SGLang (bun run sglang:setup)', python !== undefined))(
  'SGLang names what it makes as the bridge noted it',
  async () => {
    const sockets = mkdtempSync(join(folder, 'live-'))
    const script = `
import os
from bridge import left
left.note_load_files()
left.note_request_folders()
left.note_socket_files()
from sglang.srt import server_args
kept = server_args.tempfile.NamedTemporaryFile(delete=False).name
assert server_args.tempfile.gettempdir()
from sglang.srt.managers import load_snapshot
from sglang.multimodal_gen.runtime.ipc_array import array_ipc_request
open(load_snapshot.shm_path_for("left-test-${process.pid}"), "w").close()
with array_ipc_request("ipc:///here") as identity:
    print(f"{kept} {identity.decode()}", flush=True)
    os._exit(0)
`
    const env = { ...cpuEnv(), DSGL_SOCK: join(sockets, 'a'), PYTHONPATH: join(import.meta.dir, '../../../../src/engine/sglang') }
    const child = Bun.spawn([python!, '-c', script], { env, stdout: 'pipe', stderr: 'pipe' })
    const [out, errors] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()])
    expect({ status: await child.exited, errors }).toMatchObject({ status: 0 })
    const [kept, request] = out.trim().split('\n').at(-1)!.split(' ') as [string, string]
    expect(existsSync(kept)).toBe(true)
    const mine = () =>
      readdirSync('/dev/shm').filter((name) => name === request || name.startsWith(`sglang_loads_left-test-${process.pid}_`))
    expect(mine()).toHaveLength(2)
    removeLeft(sockets)
    expect(mine()).toEqual([])
    expect(existsSync(kept)).toBe(false)
  },
  120_000,
)
