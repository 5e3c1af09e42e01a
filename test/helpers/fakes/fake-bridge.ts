// Plays the Python side of bridge/WIRE.md for protocol tests; run as a process by `fakePython`. The first prompt id chooses what happens to a request:
// 901 refused (ERR), 902 deaf to aborts for 2 s, 903 the process dies after 3 tokens, 904 rows of strangers, 905 a lost frame, 906 ABORTED while queued,
// 907 its last frame is lost, 908 forgotten, 909 the engine says nothing any more, 910 the process is stopped, 911 unreadable rows, 912 channel B closed.

import { FrameReader } from '../../../src/engine/sglang/frames.ts'
import { decode, encode } from '../../../src/transport/msgpack.ts'
import { connectSocket } from '../../../src/transport/zmtp/sockets.ts'

const flag = (name: string) => {
  const at = process.argv.indexOf(name)
  return at < 0 ? undefined : process.argv[at + 1]
}
const say = flag('--say')
if (say) console.error(say)
if (flag('--exit')) process.exit(Number(flag('--exit')))

interface Live {
  slot: number
  gen: number
  rid: string
  kind: number
  deafUntil: number
  left: number
  made: number
  prompt: number
  aborted: boolean
}
const live = new Map<number, Live>()
/** Slots between their terminal and FIN: a GEN for one of them is our fault. */
const unfinished = new Set<number>()
const facts = {
  fins: 0,
  reused: 0,
  epochs: [] as string[],
  /** Where each request's other leg is. */
  boots: [] as unknown[],
  args: process.argv.slice(2),
  secret: process.env.DSGL_SECRET?.length,
  level: process.env.DSGL_LEVEL,
}
let seq = 0
let silent = false
let garbage = () => {}
let hangUp = () => {}
let rows: (message: unknown[]) => void = (message) => send(message)

const socket = await Bun.connect<undefined>({
  unix: process.env.DSGL_SOCK!,
  socket: {
    data: (_socket, chunk) => reader.push(chunk),
    close: () => process.exit(0),
  },
})
function send(message: unknown[]) {
  const body = encode(message)
  const frame = Buffer.alloc(4 + body.length)
  frame.writeUInt32LE(body.length)
  frame.set(body, 4)
  // In two writes: the other side must not rely on whole frames.
  socket.write(frame.subarray(0, 3))
  socket.write(frame.subarray(3))
}

const reader = new FrameReader((bytes) => {
  const message = decode(bytes) as unknown[]
  switch (message[0]) {
    case 1: {
      const ack = message[1] as { level: string | null; tok: string; epoch: string }
      facts.epochs.push(ack.epoch)
      const fatal = flag('--fatal')
      if (fatal) {
        send([190, JSON.parse(fatal)])
        setTimeout(() => process.exit(1), 20)
        return
      }
      const level = ack.level ?? 'L1'
      if (level !== 'L1') return ready(level)
      const push = connectSocket({ type: 'PUSH', endpoint: ack.tok, onReady: () => ready(level) })
      rows = (out) => push.send([encode(out)])
      garbage = () => push.send([Uint8Array.of(0xc1, 0xc1, 0xc1)])
      hangUp = () => push.close()
      return
    }
    case 10:
      return start(message as Parameters<typeof start>[0])
    case 11: {
      const [, slot, rid, ids] = message as [number, number, string, Uint8Array]
      const vector = new Float32Array([ids.length / 4, 1, 2])
      rows([110, [[slot, genOf(rid), ids.length / 4, new Uint8Array(vector.buffer), null]]])
      unfinished.add(slot)
      return
    }
    case 12:
      for (const rid of message[1] as string[]) for (const one of live.values()) if (one.rid === rid) one.aborted = true
      return
    case 13:
      for (const slot of message[1] as number[]) {
        facts.fins++
        unfinished.delete(slot)
      }
      return
    case 20:
      return call(message[1] as number, message[2] as string, message[3] as Record<string, unknown>)
    case 31:
      process.exit(0)
  }
})

send([
  1,
  {
    proto: 1,
    secret: flag('--secret') ?? process.env.DSGL_SECRET,
    pid: process.pid,
    python: 'fake',
    sglang: '0.0.0',
    levels: ['L1', 'L0', 'L2'],
    unsupported: null,
    caps: {},
  },
])

function ready(level: string) {
  send([
    2,
    {
      level,
      sglang: '0.0.0-fake',
      model_path: 'none',
      is_embedding: false,
      context_len: 2048,
      max_req_input_len: 2040,
      vocab_size: 1024,
      eos_ids: [2],
      block_size: 1,
      dp_size: Number(flag('--dp-size') ?? 1),
      disaggregation_mode: flag('--disaggregation-mode') ?? 'null',
      bootstrap: flag('--disaggregation-mode') === 'prefill' ? { host: '10.0.0.1', port: 20123 } : null,
      max_running_requests: 8,
      max_total_tokens: 4096,
      kv_events: [],
      schedulers: [],
      ...(flag('--node-rank') ? { node_rank: Number(flag('--node-rank')) } : {}),
    },
  ])
}

const genOf = (rid: string) => Number.parseInt(rid.slice(16), 16)

function start([, slot, rid, ids, sampling, opt]: [number, number, string, Uint8Array, Record<string, unknown>, { boot?: unknown }?]) {
  if (opt?.boot !== undefined) facts.boots.push(opt.boot)
  if (live.has(slot) || unfinished.has(slot)) facts.reused++
  const kind = new DataView(ids.buffer, ids.byteOffset).getUint32(0, true)
  const gen = genOf(rid)
  if (kind === 901) {
    unfinished.add(slot)
    return send([101, slot, gen, 400, 'invalid_request_error', 'no such thing'])
  }
  live.set(slot, {
    slot,
    gen,
    rid,
    kind,
    deafUntil: kind === 902 ? Date.now() + 2000 : 0,
    left: Number(sampling.max_new_tokens ?? 100),
    made: 0,
    prompt: ids.length / 4,
    aborted: false,
  })
}

function call(id: number, method: string, args: Record<string, unknown>) {
  if (method === 'facts') send([120, id, true, { ...facts, live: live.size, unfinished: unfinished.size }])
  else if (method === 'echo') send([120, id, true, args])
  else if (method === 'pause') {
    send([140, { paused: args.paused }])
    send([120, id, true, null])
  } else if (method === 'ping') send([120, id, true, {}])
  else if (method === 'never') return
  else send([120, id, false, { type: 'not_found', message: `no ${method}`, status: 404 }])
}

/** One engine step: a token for everyone. Token n of a request is 10 + n. */
setInterval(() => {
  if (live.size === 0 || silent) return
  const who: number[] = []
  const toks: number[] = []
  const first: number[][] = []
  const fin: unknown[][] = []
  let lost = false
  for (const one of [...live.values()]) {
    if (one.kind === 906 && one.aborted) {
      send([102, one.slot, one.gen, ['abort', null, 'left the queue', null, null]])
      live.delete(one.slot)
      unfinished.add(one.slot)
      continue
    }
    if (one.kind === 906 || one.kind === 908) continue
    const row = who.length / 2
    who.push(one.slot, one.gen)
    toks.push(10 + one.made)
    if (one.made === 0) first.push([row, one.prompt, 1])
    one.made++
    const over = one.aborted && Date.now() > one.deafUntil
    if (over || one.made === one.left) {
      fin.push([row, over ? 'abort' : 'length', null, over ? 'Aborted' : null, null, null, one.made, one.prompt, 1, 0])
      live.delete(one.slot)
      unfinished.add(one.slot)
    }
    if (one.kind === 903 && one.made === 3) process.exit(1)
    if (one.kind === 904) {
      who.push(one.slot + 500, 1, one.slot, one.gen + 7)
      toks.push(1, 1)
    }
    if (one.kind === 905 && one.made === 2) seq++
    if (one.kind === 907 && fin.length > 0) lost = true
    if (one.made === 2) {
      if (one.kind === 909) silent = true
      if (one.kind === 910) process.kill(process.pid, 'SIGSTOP')
      if (one.kind === 911) garbage()
      if (one.kind === 912) hangUp()
    }
  }
  if (lost) seq++
  if (who.length === 0 || lost) return
  const bytes = new Uint8Array(who.length * 4)
  for (const [i, value] of who.entries()) new DataView(bytes.buffer).setUint32(i * 4, value)
  rows([100, 0, ++seq, bytes, new Uint8Array(Int32Array.from(toks).buffer), null, first, fin, null, [live.size, 0, 5, 100], Date.now()])
}, 2)
