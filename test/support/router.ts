// A real router on a free port of its own, with a store and a data folder of its own, for tests.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { type Environment, readConfig } from '../../src/config.ts'
import type { Services } from '../../src/flow/services.ts'
import { startRouter } from '../../src/start.ts'
import { ownDatabase } from './store.ts'

export interface TestRouter {
  /** http://127.0.0.1:port */
  url: string
  /** With /v1, as an SDK wants it. */
  base_url: string
  admin_key: string
  /** Of the demo user, who has $10. */
  api_key: string
  data_dir: string
  services: Services
  close(): Promise<void>
}

/** The environment is all that the router sees: nothing of the machine's own reaches it. */
export async function testRouter(environment: Environment = {}): Promise<TestRouter> {
  const data_dir = await mkdtemp(join(tmpdir(), 'switchyard-test-'))
  const database = environment.MONGODB_URI === undefined ? ownDatabase() : undefined
  const config = readConfig({ PORT: '0', DATA_DIR: data_dir, ...database?.environment, ...environment }, data_dir)
  const router = await startRouter(config, pino({ level: environment.LOG_LEVEL ?? 'silent' }))
  const { admin_key, api_key } = router.first_run
  return {
    url: router.url,
    base_url: `${router.url}/v1`,
    admin_key: admin_key ?? '',
    api_key: api_key ?? '',
    data_dir,
    services: router.services,
    async close() {
      await router.close(0)
      await database?.drop()
      await rm(data_dir, { recursive: true, force: true })
    },
  }
}
