// `npm run grant | lots | codes | refund`: credit on the command line of admins.
import type { Command } from 'commander'
import type { Json } from './api.ts'
import { given, type Options, onceHeaders, PAGE, type Shell } from './shell.ts'
import { type Column, time } from './table.ts'

const LOTS: Column[] = [
  { title: 'LOT', field: 'id' },
  { title: 'KIND', field: 'kind' },
  { title: 'AMOUNT', field: 'amount_usd' },
  { title: 'REMAINING', field: 'remaining_usd' },
  { title: 'SPENT', field: 'spent_usd' },
  { title: 'EXPIRED', field: 'expired_usd' },
  { title: 'TAKEN BACK', field: 'reclaimed_usd' },
  { title: 'EXPIRES', field: 'expires_at', show: time },
  { title: 'REASON', field: 'reason' },
]
const CODES: Column[] = [
  { title: 'CODE', field: 'id' },
  { title: 'BEGINS WITH', field: 'prefix' },
  { title: 'BATCH', field: 'batch_id' },
  { title: 'GIVES', field: 'amount_usd' },
  { title: 'USES', field: 'uses' },
  { title: 'LEFT', field: 'left' },
  { title: 'STATE', field: 'disabled', show: (disabled) => (disabled ? 'off' : 'on') },
  { title: 'EXPIRES', field: 'expires_at', show: time },
  { title: 'REASON', field: 'reason' },
]

export function creditCommands(shell: Shell): void {
  grantCommand(shell)
  lotCommands(shell)
  codeCommands(shell)
  refundCommand(shell)
}

const withReason = (command: Command) =>
  command
    .requiredOption('--reason <text>', 'why, for the ledger')
    .option('--idempotency-key <key>', 'the same key moves money once, however often it is sent')

function grantCommand({ program, command, run }: Shell): void {
  withReason(command(program, 'grant <user> [usd]', 'give credit to a user'))
    .option('--pack <name>', 'a pack of pricing/site.toml instead of an amount')
    .option('--kind <kind>', 'paid or promotional')
    .option('--expires <time>', 'when what is left of it goes: Unix seconds, or 2027-01-31')
    .action((user: string, usd: string | undefined, options: Options, self: Command) =>
      run(
        self.optsWithGlobals(),
        (api) => {
          const { reason, pack, kind, expires } = options
          const body = given({ amount_usd: usd, pack, kind, reason, expires_at: expires })
          return api.call('POST', `/api/v1/users/${encodeURIComponent(user)}/credits`, body, onceHeaders(options))
        },
        (grant) => `${String(grant.amount_usd)} USD are granted; available now: ${String(grant.available_usd)} USD.`,
      ),
    )
}

function lotCommands({ program, command, paged, run, list, query }: Shell): void {
  const lots = paged(command(program, 'lots [user]', "list a user's lots, newest first")).action(
    (user_id: string | undefined, _options: Options, self: Command) =>
      run(
        self.optsWithGlobals(),
        (api) => api.call('GET', `/api/v1/lots${query({ ...self.opts(), user_id }, { ...PAGE, user_id: 'user_id' })}`),
        list(LOTS),
      ),
  )
  withReason(command(lots, 'reclaim <lot> [usd]', 'take back what is unspent of a lot, or part of it')).action(
    (lot: string, usd: string | undefined, options: Options, self: Command) =>
      run(
        self.optsWithGlobals(),
        (api) => {
          const body = given({ amount_usd: usd, reason: options.reason })
          return api.call('POST', `/api/v1/lots/${encodeURIComponent(lot)}/reclaim`, body, onceHeaders(options))
        },
        (taken) => `${String(taken.amount_usd)} USD are taken back; available now: ${String(taken.available_usd)} USD.`,
      ),
  )
}

function codeCommands({ program, command, paged, run, list, query }: Shell): void {
  const codes = paged(command(program, 'codes', 'list codes for credit, newest first'))
    .option('--batch <id>', 'only those that were made together')
    .action((_options: Options, self: Command) =>
      run(
        self.optsWithGlobals(),
        (api) => api.call('GET', `/api/v1/codes${query(self.opts(), { ...PAGE, batch: 'batch_id' })}`),
        list(CODES),
      ),
    )
  command(codes, 'add [usd]', 'make codes, which are shown this once')
    .requiredOption('--reason <text>', 'why, for the ledger')
    .option('--count <n>', 'how many codes')
    .option('--uses <n>', 'how many users may redeem each')
    .option('--pack <name>', 'a pack of pricing/site.toml instead of an amount')
    .option('--kind <kind>', 'paid or promotional')
    .option('--expires <time>', 'until when they can be redeemed')
    .option('--credit-days <n>', 'how long the credit lasts from then on')
    .action((usd: string | undefined, options: Options, self: Command) =>
      run(
        self.optsWithGlobals(),
        (api) => {
          const { reason, count, uses, pack, kind, expires, creditDays } = options
          const numbers = { count, uses, credit_expires_days: creditDays }
          const counted = Object.entries(numbers).map(([name, value]) => [name, value && Number(value)])
          const fields = { amount_usd: usd, pack, kind, reason, expires_at: expires, ...Object.fromEntries(counted) }
          return api.call('POST', '/api/v1/codes', given(fields))
        },
        (batch) =>
          `${(batch.codes as Json[]).map(({ code }) => String(code)).join('\n')}\n\nThese codes are shown only this once. Batch: ${String(batch.id)}`,
      ),
    )
  for (const [word, disabled] of [
    ['disable', true],
    ['enable', false],
  ] as const) {
    command(codes, `${word} <id>`, `turn a code ${disabled ? 'off' : 'on again'}`).action(
      (id: string, _options: Options, self: Command) =>
        run(
          self.optsWithGlobals(),
          (api) => api.call('PATCH', `/api/v1/codes/${encodeURIComponent(id)}`, { disabled }),
          (code) => list(CODES)({ data: [code] }),
        ),
    )
  }
}

function refundCommand({ program, command, run }: Shell): void {
  withReason(command(program, 'refund <job> [usd]', 'give a charge back, in whole or in part')).action(
    (job: string, usd: string | undefined, options: Options, self: Command) =>
      run(
        self.optsWithGlobals(),
        (api) => {
          const body = given({ amount_usd: usd, reason: options.reason })
          return api.call('POST', `/api/v1/jobs/${encodeURIComponent(job)}/refund`, body, onceHeaders(options))
        },
        ({ amount_usd, refunded_usd, cost_usd }) =>
          `${String(amount_usd)} USD are refunded; of ${String(cost_usd)} USD in all ${String(refunded_usd)} USD.`,
      ),
  )
}
