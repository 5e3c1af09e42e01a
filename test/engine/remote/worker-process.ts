// A worker in a process of its own: the mock engine behind hostEngine over TCP. Prints its address. SPEED is the mock's --speedup-ratio.
import { hostEngine } from '../../../src/engine/remote/host.ts'
import { tcpServer } from '../../../src/transport/tcp/server.ts'
import { started } from '../mock/world.ts'

const mock = await started({ speedupRatio: Number(process.argv[2]), version: '1' })
const server = tcpServer(hostEngine(mock, { calls: { inFlight: async () => mock.inFlight() } }))
console.log(server.address)
