// A router with the test's own providers of films and sounds, and the stub behind the one that speaks OpenAI's format.
import { join } from 'node:path'
import type { Environment } from '../../src/config.ts'
import { Stub } from '../providers/stub.ts'
import { type TestRouter, testRouter } from '../support/router.ts'

export interface Theatre {
  router: TestRouter
  /** Reel's server. */
  stub: Stub
  close(): Promise<void>
}

export async function openTheatre(environment: Environment = {}): Promise<Theatre> {
  const stub = await new Stub().start()
  const router = await testRouter({
    PROVIDERS_DIR: join(import.meta.dirname, 'providers'),
    PRICING_DIR: join(import.meta.dirname, 'pricing'),
    REEL_BASE_URL: `${stub.url}/v1`,
    STAGE_ON: 'yes',
    ...environment,
  })
  return {
    router,
    stub,
    async close() {
      await router.close()
      await stub.stop()
    },
  }
}
