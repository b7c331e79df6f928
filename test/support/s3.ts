// A real S3 server on loopback, which checks signatures, with one bucket: for tests of what is kept in S3.
import { mkdtemp, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** The package has no types: this is the part that is used. */
interface S3Server {
  run(): Promise<AddressInfo>
  close(): Promise<void>
  httpServer: { closeAllConnections(): void }
}
const S3rver = createRequire(import.meta.url)('@20minutes/s3rver') as new (options: object) => S3Server

/** The server's only account. */
export const S3_CREDENTIALS = { access_key_id: 'S3RVER', secret_access_key: 'S3RVER' }
export const S3_ENVIRONMENT = { AWS_ACCESS_KEY_ID: 'S3RVER', AWS_SECRET_ACCESS_KEY: 'S3RVER' }

export interface TestS3 {
  /** http://127.0.0.1:port */
  endpoint: string
  /** For a prefix of the bucket. */
  storageUrl(prefix: string): string
  close(): Promise<void>
}

export async function testS3(): Promise<TestS3> {
  const directory = await mkdtemp(join(tmpdir(), 'sw-s3-'))
  const server = new S3rver({
    address: '127.0.0.1',
    port: 0,
    silent: true,
    directory,
    configureBuckets: [{ name: 'files' }],
  })
  const { port } = await server.run()
  const endpoint = `http://127.0.0.1:${port}`
  return {
    endpoint,
    storageUrl: (prefix) => `s3://files/${prefix}?endpoint=${endpoint}`,
    async close() {
      const closed = server.close()
      server.httpServer.closeAllConnections()
      await closed
      await rm(directory, { recursive: true, force: true })
    },
  }
}
