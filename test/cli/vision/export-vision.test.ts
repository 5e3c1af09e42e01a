// `dynamo-sglang export-vision` as a user meets it.
import { expect, test } from 'bun:test'
import { run } from '../program.ts'

test("Python is the one of DYN_SGLANG_PYTHON, as the help says, and --python's before it", async () => {
  expect((await run(['export-vision', '--help'])).out).toContain('the one of DYN_SGLANG_PYTHON, else python3')
  const env = { DYN_SGLANG_PYTHON: '/nowhere/of-env' }
  expect((await run(['export-vision', '--model-path', '.'], env)).err).toContain('/nowhere/of-env was not found')
  expect((await run(['export-vision', '--model-path', '.', '--python', '/nowhere/of-flag'], env)).err).toContain('/nowhere/of-flag was not')
})

test('a folder that is not there is told before Python is asked', async () => {
  expect(await run(['export-vision', '--model-path', '/no/such/model', '--python', '/nowhere'])).toMatchObject({
    code: 1,
    err: 'dynamo-sglang: no folder /no/such/model [model_path_not_found]\n',
  })
})
