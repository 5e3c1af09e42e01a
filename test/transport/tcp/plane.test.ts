import { tcpClient } from '../../../src/transport/tcp/client.ts'
import { tcpServer } from '../../../src/transport/tcp/server.ts'
import { planeSuite } from '../../suites/plane.suite.ts'

planeSuite('the request plane over TCP', { serve: async (service) => tcpServer(service), connect: (address) => tcpClient(address) })
