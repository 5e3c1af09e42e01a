// `dynamo-sglang export-vision` as a user meets it.
import { expect, test } from 'bun:test'
import { run } from '../program.ts'

test("Python is the one of DYN_SGLANG_PYTHON, as the help says, and --python's before it", async () => {
  expect((await run(['export-vision', '--help'])).out).toContain('the one of DYN_SGLANG_PYTHON, else python3')
  const env = { DYN_SGLANG_PYTHON: '/nowhere/of-env' }
  expect((await run(['export-vision', '--model-path', '.'], env)).err).toContain('/nowhere/of-env was not found')
  expect((await run(['export-vision', '--model-path', '.', '--python', '/nowhere/of-flag'], env)).err).toContain('/nowhere/of-flag was not')
})
