// An S3 server as a process of its own: `bun s3rver.ts PORT FOLDER BUCKET`. Its only keys are S3RVER and S3RVER.
// @ts-expect-error it brings no types
import S3rver from '@20minutes/s3rver'

const [port, directory, bucket] = process.argv.slice(2)
await new S3rver({
  address: '127.0.0.1',
  port: Number(port),
  directory: directory!,
  silent: true,
  // Its own idea of the path of a list request lacks the slash that was sent and signed.
  allowMismatchedSignatures: true,
  configureBuckets: [{ name: bucket!, configs: [] }],
}).run()
