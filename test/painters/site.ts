// A router whose picture providers are the test's own painters, and the stub that paints for them.
import { join } from 'node:path'
import sharp from 'sharp'
import type { Environment } from '../../src/config.ts'
import { Stub } from '../providers/stub.ts'
import { type TestRouter, testRouter } from '../support/router.ts'
import type { Painted, Told } from './painter.ts'

export const HOME = import.meta.dirname

export const paintersAt = ({ url }: Stub): Environment => ({
  PROVIDERS_DIR: join(HOME, 'providers'),
  PRICING_DIR: join(HOME, 'pricing'),
  PAIRS_BASE_URL: url,
  FRAMES_BASE_URL: url,
})

export interface Studio {
  router: TestRouter
  stub: Stub
  /** What `start` was asked for since the last reset, in order of arrival. */
  asked(): Painted[]
  /** What the painter answers; a failure at its start is a refusal, and an overload anywhere. */
  tell(told: (path: string, asked: Painted) => Told | Promise<Told>): void
  close(): Promise<void>
}

export async function openStudio(environment: Environment = {}): Promise<Studio> {
  const stub = await new Stub().start()
  const router = await testRouter({ ...paintersAt(stub), ...environment })
  return {
    router,
    stub,
    asked: () => stub.seen.filter(({ path }) => path === '/start').map(bodyOf),
    tell: (told) => tell(stub, told),
    async close() {
      await router.close()
      await stub.stop()
    },
  }
}

const bodyOf = ({ body }: { body: Buffer }): Painted => JSON.parse(body.toString() || '{}') as Painted

export function tell(stub: Stub, told: (path: string, asked: Painted) => Told | Promise<Told>): void {
  stub.answer = async (response, seen) => {
    const answer = await told(seen.path, bodyOf(seen))
    const refused = answer.status === 'failed' && (seen.path === '/start' || answer.kind === 'overloaded')
    response.writeHead(refused ? 503 : 200, { 'content-type': 'application/json' }).end(JSON.stringify(answer))
  }
}

export const plate = async (width: number, height: number, color = '#08f'): Promise<string> =>
  (
    await sharp({ create: { width, height, channels: 3, background: color } })
      .png()
      .toBuffer()
  ).toString('base64')
