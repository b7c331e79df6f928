// The keeper of lots: every few seconds it attributes what was settled, takes out what expired, and finishes what a router
// that died left of refunds and codes. Any number of routers may run it; the ledger lets each thing happen once.
import { finishDueRefunds } from '../../ledger/refund.ts'
import type { Services } from '../services.ts'
import { finishDueRedemptions } from './codes.ts'
import { settleLots } from './lots.ts'

const LOOK_MS = 5000
/** What is under way for longer than this has lost its router. */
const LEFT_MS = 15_000

export function startLotKeeper(services: Services): { stop(): Promise<void> } {
  let running: Promise<void> | undefined
  const look = () => {
    running ??= keepLots(services)
      .catch((error: unknown) =>
        services.log.error({ error }, 'Lots could not be looked after; the next look is due soon.'),
      )
      .finally(() => {
        running = undefined
      })
  }
  // Several routers do not look at the same moment.
  const timer = setInterval(look, LOOK_MS + Math.random() * 1000)
  return {
    async stop() {
      clearInterval(timer)
      await running
    },
  }
}

/** One look at everything that is due. */
export async function keepLots(services: Services, now = new Date()): Promise<void> {
  const { store } = services
  const left = new Date(now.getTime() - LEFT_MS)
  await finishDueRefunds(store, left)
  await finishDueRedemptions(services, left)
  const accounts = new Set<string>([
    ...(await store.entries.distinct('account_id', { unattributed: true })),
    ...(await store.lots.distinct('account_id', { open: true, expires_at: { $lte: now } })),
    ...(await store.lot_books.distinct('_id', { due: { $lt: left } })),
  ])
  for (const account_id of accounts) await settleLots(services, account_id)
}
