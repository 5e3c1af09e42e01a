import { naiveIndex } from '../../../src/router/index/naive.ts'
import { indexSuite } from '../../suites/index.suite.ts'

indexSuite(naiveIndex)
