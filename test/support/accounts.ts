// The parts that accounts and keys need, on a store of their own, without a whole router.

import { createUser, type UserView } from '../../src/flow/account/accounts.ts'
import { Callers } from '../../src/flow/account/callers.ts'
import { createKey, type KeyFields } from '../../src/flow/account/keys.ts'
import { Ledger } from '../../src/ledger/ledger.ts'
import { quiet } from './serve.ts'
import { testStore } from './store.ts'

export const ADMIN_KEY = 'an-admin-key-of-at-least-32-characters'

export async function accountParts() {
  const { store, uri, close } = await testStore()
  const callers = new Callers(store, quiet)
  callers.setAdminKey(ADMIN_KEY)
  return {
    store,
    uri,
    callers,
    ledger: new Ledger(store),
    log: quiet,
    async close() {
      await callers.close()
      await close()
    },
  }
}
export type AccountParts = Awaited<ReturnType<typeof accountParts>>

export const newUser = (parts: AccountParts, name = 'Ada'): Promise<UserView> => createUser(parts, { name }, 'test')

export const newKey = (parts: AccountParts, user_id: string, fields: Partial<KeyFields> = {}) =>
  createKey(parts, user_id, { name: 'test', models: null, limit: null, expires_at: null, ...fields }, 'test')
