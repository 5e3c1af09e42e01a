import { natsPlane } from '../../helpers/nats-plane.ts'
import { planeSuite } from '../../suites/plane.suite.ts'

const nats = natsPlane()
if (nats !== undefined) planeSuite('the request plane over NATS', nats)
