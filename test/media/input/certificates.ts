// A certificate authority for one test run, and servers' certificates under it, made by openssl.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export const hasOpenssl = Bun.which('openssl') !== null

export interface Certificates {
  ca: string
  of(name: string): { key: string; cert: string }
}

export function makeCertificates(): Certificates {
  const folder = mkdtempSync(join(tmpdir(), 'certificates-'))
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
  const openssl = (...words: string[]) => {
    const result = Bun.spawnSync(['openssl', ...words], { cwd: folder })
    if (result.exitCode !== 0) throw new Error(result.stderr.toString())
  }
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  openssl('req', '-x509', ...key, '-keyout', 'ca.key', '-out', 'ca.pem', '-days', '2', '-subj', '/CN=tests')
  const read = (name: string) => readFileSync(join(folder, name), 'utf8')
  return {
    ca: read('ca.pem'),
    of(name) {
      openssl('req', ...key, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`)
      writeFileSync(join(folder, 'names'), `subjectAltName=DNS:${name}`)
      const signing = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2', '-extfile', 'names']
      openssl('x509', '-req', '-in', `${name}.csr`, '-out', `${name}.pem`, ...signing)
      return { key: read(`${name}.key`), cert: read(`${name}.pem`) }
    },
  }
}
