// `npm run verify | users | keys | grant | jobs | receipt`: the admin API on the command line. Exit code 1 where a command
// failed, and where the books are off by a nano-dollar.
import { Command } from 'commander'
import { readConfig } from '../src/config.ts'
import { type AdminApi, type Json, openAdminApi, wordsFor } from './admin/api.ts'
import { creditCommands } from './admin/credit.ts'
import { limitBody, limitLines, withLimits, withTerms } from './admin/limits.ts'
import { priceCommands } from './admin/prices.ts'
import { receipt } from './admin/receipt.ts'
import { type Options, PAGE, type Shell } from './admin/shell.ts'
import { type Column, table, time } from './admin/table.ts'

const USERS: Column[] = [
  { title: 'USER', field: 'id' },
  { title: 'NAME', field: 'name' },
  { title: 'EMAIL', field: 'email' },
  { title: 'AVAILABLE', field: 'available_usd' },
  { title: 'HELD', field: 'held_usd' },
  { title: 'SETTLED', field: 'settled_usd' },
  { title: 'CREATED', field: 'created_at', show: time },
]
const KEYS: Column[] = [
  { title: 'KEY', field: 'id' },
  { title: 'BEGINS WITH', field: 'prefix' },
  { title: 'NAME', field: 'name' },
  { title: 'USER', field: 'user_id' },
  { title: 'MODELS', field: 'models', show: (models) => (Array.isArray(models) ? models.join(',') : 'all') },
  { title: 'LIMIT', field: 'limit_usd' },
  { title: 'SETTLED', field: 'settled_usd' },
  { title: 'STATE', field: 'disabled', show: (disabled) => (disabled ? 'off' : 'on') },
  { title: 'EXPIRES', field: 'expires_at', show: time },
  { title: 'LAST USED', field: 'last_used_at', show: time },
]
const JOBS: Column[] = [
  { title: 'JOB', field: 'id' },
  { title: 'OPERATION', field: 'operation' },
  { title: 'MODEL', field: 'model' },
  { title: 'PROVIDER', field: 'provider' },
  { title: 'STATUS', field: 'status' },
  { title: 'COST', field: 'billing', show: (billing) => String((billing as Json).cost_usd ?? '-') },
  { title: 'CREATED', field: 'created_at', show: time },
]
const DRIFT: Column[] = [
  { title: 'ACCOUNT', field: 'account_id' },
  { title: 'WHAT', field: 'what' },
  { title: 'EXPECTED', field: 'expected_usd' },
  { title: 'FOUND', field: 'found_usd' },
  { title: 'JOB', field: 'job_id' },
]

/** Runs a command against the API and prints its answer, as JSON if wanted. */
async function run(options: Options, work: (api: AdminApi) => Promise<Json>, show: (answer: Json) => string) {
  let api: AdminApi | undefined
  try {
    api = await openAdminApi(readConfig())
    const answer = await work(api)
    console.log(options.json ? JSON.stringify(answer, null, 2) : show(answer))
  } catch (error) {
    console.error(wordsFor(error))
    process.exitCode = 1
  } finally {
    await api?.close()
  }
}

const rowsOf = (answer: Json) => answer.data as Json[]

function list(columns: Column[]) {
  return (answer: Json) =>
    table(columns, rowsOf(answer)) + (answer.has_more ? `\nMore: --after ${String(answer.last_id)}` : '')
}

/** A query of the options that were given. */
function query(options: Options, fields: Record<string, string>): string {
  const parameters = new URLSearchParams()
  for (const [option, field] of Object.entries(fields)) {
    if (options[option] !== undefined) parameters.set(field, String(options[option]))
  }
  return `?${parameters}`
}

const program = new Command('admin').description('Users, credit, keys, jobs and the books of a Switchyard router.')

/** `npm run users -- add "Ada"`: the word after the name of the script. */
function command(parent: Command, usage: string, description: string): Command {
  // `keys --limit` is not `keys add --limit`: an option belongs to the word before it.
  return parent
    .enablePositionalOptions()
    .command(usage)
    .description(description)
    .option('--json', 'print the answer of the API')
}
const paged = (listing: Command) =>
  listing.option('--limit <n>', 'at most so many, up to 100').option('--after <id>', 'from after this one on')

const VERIFY = `
Checks, to the nano-dollar, that
  every account is the sum of its entries and of its open holds,
  the legs of every entry add up to zero and to its amount,
  every charged job has one entry, in its account, of what it cost, and every charge its job,
  every key has used what its limit and its room say,
  and the lots of every account are what it can still spend.
What differs is read again for up to five seconds, because work goes on meanwhile: a running router may be checked at any
time. A million jobs take less than a minute. Nothing is changed. Exit code 1, with the list, where anything is off.`

const verify = command(program, 'verify', 'add every account up again from its ledger entries')
verify.addHelpText('after', VERIFY).action((_options, self: Command) =>
  run(
    self.optsWithGlobals(),
    async (api) => {
      const answer = await api.call('POST', '/api/v1/verify')
      if (!answer.ok) process.exitCode = 1
      return answer
    },
    ({ ok, accounts, entries, pending, drift }) =>
      ok
        ? `The books add up: ${accounts} accounts, ${entries} entries, ${pending} pending.`
        : `The books do not add up:\n${table(DRIFT, drift as Json[])}`,
  ),
)

const users = paged(command(program, 'users', 'list users, newest first')).action((_options, self: Command) =>
  run(self.optsWithGlobals(), (api) => api.call('GET', `/api/v1/users${query(self.opts(), PAGE)}`), list(USERS)),
)
command(users, 'add <name>', 'make a user with an account')
  .option('--email <address>')
  .action((name: string, { email }: Options, self: Command) =>
    run(
      self.optsWithGlobals(),
      (api) => api.call('POST', '/api/v1/users', { name, ...(email !== undefined && { email }) }),
      (user) => table(USERS, [user]),
    ),
  )

withLimits(command(users, 'limit <id>', "limits of the user's whole account; 'none' takes one away")).action(
  (id: string, options: Options, self: Command) =>
    run(
      self.optsWithGlobals(),
      (api) => api.call('PATCH', `/api/v1/users/${encodeURIComponent(id)}`, limitBody(options)),
      (user) => `${table(USERS, [user])}\n${limitLines(user)}`,
    ),
)

const keys = paged(command(program, 'keys', 'list keys, newest first'))
  .option('--user <id>', 'only of this user')
  .action((_options, self: Command) =>
    run(
      self.optsWithGlobals(),
      (api) => api.call('GET', `/api/v1/keys${query(self.opts(), { ...PAGE, user: 'user_id' })}`),
      list(KEYS),
    ),
  )
withTerms(command(keys, 'add <user> <name>', 'make a key, which is shown this once'))
  .option('--expires <time>', 'when it stops: Unix seconds, or 2027-01-31')
  .option('--retention-days <n>', 'how long outputs of its jobs are kept')
  .action((user_id: string, name: string, options: Options, self: Command) => {
    const { expires, retentionDays } = options
    const body = {
      user_id,
      name,
      ...limitBody(options),
      ...(expires !== undefined && { expires_at: expires }),
      ...(retentionDays !== undefined && { retention_days: Number(retentionDays) }),
    }
    return run(
      self.optsWithGlobals(),
      (api) => api.call('POST', '/api/v1/keys', body),
      (key) => `${String(key.key)}\nThis key is shown only this once.\n\n${table(KEYS, [key])}`,
    )
  })
withTerms(command(keys, 'limit <id>', "what a key may do and spend; 'none' takes a limit away")).action(
  (id: string, options: Options, self: Command) =>
    run(
      self.optsWithGlobals(),
      (api) => api.call('PATCH', `/api/v1/keys/${encodeURIComponent(id)}`, limitBody(options)),
      (key) => `${table(KEYS, [key])}\n${limitLines(key)}`,
    ),
)
command(keys, 'rotate <id>', 'a fresh secret, shown this once; the old one works a while longer')
  .option('--grace <seconds>', 'how long: a day if it is not said')
  .action((id: string, { grace }: Options, self: Command) =>
    run(
      self.optsWithGlobals(),
      (api) =>
        api.call(
          'POST',
          `/api/v1/keys/${encodeURIComponent(id)}/rotate`,
          grace === undefined ? {} : { grace_seconds: Number(grace) },
        ),
      (key) => `${String(key.key)}\nThis key is shown only this once.\n\n${table(KEYS, [key])}`,
    ),
  )
for (const [word, disabled] of [
  ['disable', true],
  ['enable', false],
] as const) {
  command(keys, `${word} <id>`, `turn a key ${disabled ? 'off' : 'on again'}`).action(
    (id: string, _options: Options, self: Command) =>
      run(
        self.optsWithGlobals(),
        (api) => api.call('PATCH', `/api/v1/keys/${encodeURIComponent(id)}`, { disabled }),
        (key) => table(KEYS, [key]),
      ),
  )
}
command(
  keys,
  'retention <id> <days>',
  "how long outputs of its jobs are kept; 'site' for as long as the site does",
).action((id: string, days: string, _options: Options, self: Command) =>
  run(
    self.optsWithGlobals(),
    (api) =>
      api.call('PATCH', `/api/v1/keys/${encodeURIComponent(id)}`, {
        retention_days: days === 'site' ? null : Number(days),
      }),
    (key) => table(KEYS, [key]),
  ),
)
command(keys, 'delete <id>', 'delete a key; what it spent stays in the books').action(
  (id: string, _options: Options, self: Command) =>
    run(
      self.optsWithGlobals(),
      (api) => api.call('DELETE', `/api/v1/keys/${encodeURIComponent(id)}`),
      () => `${id} is deleted.`,
    ),
)

const shell: Shell = { program, command, paged, run, list, query }
creditCommands(shell)
priceCommands(shell)

const jobs = paged(command(program, 'jobs', 'list jobs, newest first'))
  .option('--user <id>', 'only of this user')
  .option('--status <status>', 'queued, in_progress, completed, failed, canceled or expired')
  .option('--operation <operation>', 'chat, image, video, …')
  .option('--model <name>')
  .action((_options, self: Command) => {
    const fields = { ...PAGE, user: 'user_id', status: 'status', operation: 'operation', model: 'model' }
    return run(
      self.optsWithGlobals(),
      (api) => api.call('GET', `/api/v1/jobs${query(self.opts(), fields)}`),
      list(JOBS),
    )
  })
command(jobs, 'show <id>', 'everything about one job').action((id: string, _options: Options, self: Command) =>
  run(
    self.optsWithGlobals(),
    (api) => api.call('GET', `/api/v1/jobs/${encodeURIComponent(id)}`),
    (job) => JSON.stringify(job, null, 2),
  ),
)

command(program, 'receipt <job>', 'what a job cost, line by line').action(
  (id: string, _options: Options, self: Command) =>
    run(self.optsWithGlobals(), (api) => api.call('GET', `/api/v1/jobs/${encodeURIComponent(id)}`), receipt),
)

await program.parseAsync()
