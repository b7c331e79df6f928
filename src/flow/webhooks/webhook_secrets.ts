// Signing secrets of endpoints and accounts: made here, kept encrypted, and for a while in pairs, so that a receiver can
// change over without missing a delivery.
import { repeatUntilKnown } from '../../ledger/writes.ts'
import { newWebhookSecret } from '../../protocols/standard_webhooks.ts'
import type { SigningSecretRecord, StoredSecret } from '../../store/webhooks.ts'
import type { Services } from '../services.ts'

export type SecretServices = Pick<Services, 'store' | 'secrets'>

/** More than this many rotations within the overlap, and the oldest stop at once. */
const SECRETS_MAX = 4

/** `owner` is the id of an endpoint or an account: the secret opens nowhere else. */
export function newSecret(
  { secrets }: Pick<Services, 'secrets'>,
  owner: string,
): { text: string; stored: StoredSecret } {
  const text = newWebhookSecret()
  return { text, stored: { sealed: secrets.seal(text, owner), until: null } }
}

/** Those that sign now, newest first. */
export const openSecrets = ({ secrets }: Pick<Services, 'secrets'>, owner: string, stored: StoredSecret[]): string[] =>
  inForce(stored).map(({ sealed }) => secrets.open(sealed, owner))

const inForce = (stored: StoredSecret[]) => stored.filter(({ until }) => until === null || until.getTime() > Date.now())

/** A new one in front; the others sign until `until`, or their own end. */
export function withNewSecret(stored: StoredSecret[], fresh: StoredSecret, until: Date): StoredSecret[] {
  const older = inForce(stored).map((each) => ({
    ...each,
    until: each.until !== null && each.until < until ? each.until : until,
  }))
  return [fresh, ...older].slice(0, SECRETS_MAX)
}

/** Of the account, for addresses that come with single requests; made when it is first asked for. */
export async function accountSecrets(services: SecretServices, account_id: string): Promise<StoredSecret[]> {
  const { store } = services
  const known = await repeatUntilKnown(() => store.signing_secrets.findOne({ _id: account_id }))
  if (known) return known.secrets
  const { stored } = newSecret(services, account_id)
  const fresh: Omit<SigningSecretRecord, '_id'> = { secrets: [stored] }
  // Two at once make one: the first stands, and both read it.
  await repeatUntilKnown(() =>
    store.signing_secrets.updateOne({ _id: account_id }, { $setOnInsert: fresh }, { upsert: true }),
  )
  return accountSecrets(services, account_id)
}

/** Answers the new secret. */
export async function rotateAccountSecret(services: SecretServices, account_id: string, until: Date): Promise<string> {
  for (;;) {
    const stored = await accountSecrets(services, account_id)
    const fresh = newSecret(services, account_id)
    const unchanged = { _id: account_id, 'secrets.0.sealed': stored[0]?.sealed }
    const secrets = withNewSecret(stored, fresh.stored, until)
    const { matchedCount } = await services.store.signing_secrets.updateOne(unchanged as never, { $set: { secrets } })
    if (matchedCount === 1) return fresh.text
  }
}
