// `npm run prices | margin`: selling prices, tried price tables, what the router earns, on the command line of admins.
import { readdir, readFile, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { Command } from 'commander'
import { CommandError, type Json } from './api.ts'
import { given, type Options, PAGE, type Shell } from './shell.ts'
import { type Column, table, time } from './table.ts'

const rates = (value: unknown): string =>
  Array.isArray(value) ? value.map(({ meter, usd, per }) => `${meter} ${usd}/${per}`).join(', ') : '-'
const PRICES: Column[] = [
  { title: 'OFFER', field: 'id' },
  { title: 'OPERATION', field: 'operation' },
  { title: 'FROM', field: 'from' },
  { title: 'CHECKED', field: 'checked' },
  { title: 'LIST PRICES', field: 'rates', show: rates },
]
const OWN: Column[] = [
  { title: 'PRICE', field: 'id' },
  { title: 'MODEL', field: 'model' },
  { title: 'OPERATION', field: 'operation' },
  { title: 'DISCOUNT', field: 'discount' },
  { title: 'MARGIN', field: 'margin' },
  { title: 'FROM', field: 'from', show: time },
]
const TRIED: Column[] = [
  { title: 'MODEL', field: 'model' },
  { title: 'PROVIDER', field: 'provider' },
  { title: 'JOBS', field: 'jobs' },
  { title: 'OLD', field: 'old_usd' },
  { title: 'NEW', field: 'new_usd' },
  { title: 'DIFFERENCE', field: 'difference_usd' },
  { title: 'UNPRICED', field: 'unpriced' },
]
const MARGIN: Column[] = [
  { title: 'JOBS', field: 'jobs' },
  { title: 'CHARGED', field: 'charged_usd' },
  { title: 'REFUNDED', field: 'refunded_usd' },
  { title: 'PROVIDERS', field: 'provider_usd' },
  { title: 'MARGIN', field: 'margin_usd' },
  { title: 'BELOW COST', field: 'jobs_below_cost' },
  { title: 'LOST', field: 'below_cost_usd' },
]
const LOSSES: Column[] = [
  { title: 'JOB', field: 'id' },
  { title: 'MODEL', field: 'model' },
  { title: 'PROVIDER', field: 'provider' },
  { title: 'CHARGED', field: 'cost_usd' },
  { title: 'COSTS', field: 'provider_usd' },
  { title: 'LOST', field: 'loss_usd' },
  { title: 'CREATED', field: 'created_at', show: time },
]
const INVOICE: Column[] = [
  { title: 'DAY', field: 'day' },
  { title: 'MODEL', field: 'model' },
  { title: 'INVOICED', field: 'invoiced_usd' },
  { title: 'EXPECTED', field: 'expected_usd' },
  { title: 'DIFFERENCE', field: 'difference_usd' },
  { title: 'JOBS', field: 'jobs' },
]

export function priceCommands(shell: Shell): void {
  const { program, command, run, list, query } = shell
  const prices = command(program, 'prices', 'list prices, or try a new table on past jobs')
    .option('--provider <id>')
    .option('--model <name>')
    .option('--dry-run <path>', 'a folder of price files, or one of them')
    .option('--since <time>', 'jobs from this time on; 30 days if left out')
    .action(({ dryRun, since }: Options, self: Command) =>
      dryRun === undefined
        ? run(
            self.optsWithGlobals(),
            (api) => api.call('GET', `/api/v1/prices${query(self.opts(), { provider: 'provider', model: 'model' })}`),
            list(PRICES),
          )
        : run(
            self.optsWithGlobals(),
            async (api) =>
              api.call('POST', '/api/v1/prices/dry-run', given({ files: await priceFiles(String(dryRun)), since })),
            tried,
          ),
    )
  ownPrices(shell, prices)
  marginCommands(shell)
}

/** The texts of price files by their names. */
async function priceFiles(path: string): Promise<Record<string, string>> {
  const found = await stat(path).catch(() => {
    throw new CommandError(`There is no file or folder ${path}.`)
  })
  const paths = found.isDirectory()
    ? (await readdir(path)).filter((name) => /^[a-z0-9].*\.toml$/.test(name)).map((name) => join(path, name))
    : [path]
  return Object.fromEntries(
    await Promise.all(paths.map(async (each) => [basename(each), await readFile(each, 'utf8')])),
  )
}

function tried({ data, jobs, untouched, old_usd, new_usd, unpriced_jobs, truncated }: Json): string {
  const without = (unpriced_jobs as Json[]).map(({ job_id, reason }) => `Unpriced: ${job_id}: ${reason}`)
  return [
    table(TRIED, data as Json[]),
    '',
    `${jobs} jobs, ${untouched} of them of providers that the table does not name. Charged ${old_usd} USD; by the new table ${new_usd} USD.`,
    ...without,
    ...(truncated ? ['There are more jobs than were looked at: choose a later --since.'] : []),
  ].join('\n')
}

function ownPrices({ command, run, list }: Shell, prices: Command): void {
  const path = (user: string) => `/api/v1/users/${encodeURIComponent(user)}/prices`
  command(prices, 'of <user>', "a user's own discounts and margins").action(
    (user: string, _options: Options, self: Command) =>
      run(self.optsWithGlobals(), (api) => api.call('GET', path(user)), list(OWN)),
  )
  command(prices, 'set <user>', 'give a user a discount or margin of its own')
    .option('--model <name>', 'for one model, or vendor/*')
    .option('--operation <operation>', 'for one operation; for everything where neither is said')
    .option('--discount <decimal>', '0.20 is list × 0.8')
    .option('--margin <decimal>', '0.15 is list × 1.15')
    .option('--from <time>', 'from when on')
    .action((user: string, { model, operation, discount, margin, from }: Options, self: Command) =>
      run(
        self.optsWithGlobals(),
        (api) => api.call('POST', path(user), given({ model, operation, discount, margin, from })),
        (price) => table(OWN, [price]),
      ),
    )
  command(prices, 'unset <user> <price>', "take one away: the site's stands again").action(
    (user: string, price: string, _options: Options, self: Command) =>
      run(
        self.optsWithGlobals(),
        (api) => api.call('DELETE', `${path(user)}/${encodeURIComponent(price)}`),
        () => `${price} is taken away.`,
      ),
  )
}

function marginCommands({ program, command, paged, run, list, query }: Shell): void {
  const margin = command(program, 'margin', 'what was charged against what providers charge')
    .option('--from <time>', 'from this day on; 30 days if left out')
    .option('--to <time>', 'before this day')
    .option('--by <groups>', 'of day, provider, model, operation, with commas between them')
    .action((_options: Options, self: Command) =>
      run(
        self.optsWithGlobals(),
        (api) => api.call('GET', `/api/v1/margin${query(self.opts(), { from: 'from', to: 'to', by: 'group_by' })}`),
        ({ data, group_by }) => {
          const groups = (group_by as string[]).map((field) => ({ title: field.toUpperCase(), field }))
          return table([...groups, ...MARGIN], data as Json[])
        },
      ),
    )
  paged(command(margin, 'losses', 'jobs that were sold below cost, newest first')).action(
    (_options: Options, self: Command) =>
      run(
        self.optsWithGlobals(),
        (api) => api.call('GET', `/api/v1/margin/losses${query(self.opts(), PAGE)}`),
        list(LOSSES),
      ),
  )
  command(margin, 'invoice <provider> <file>', "hold a provider's invoice (CSV: date,model,amount_usd) against ours")
    .option('--tolerance <usd>', 'differences up to this are not told')
    .action((provider: string, file: string, { tolerance }: Options, self: Command) =>
      run(
        self.optsWithGlobals(),
        async (api) => {
          const csv = await readFile(file, 'utf8').catch(() => {
            throw new CommandError(`There is no file ${file}.`)
          })
          return api.call('POST', '/api/v1/margin/invoice', given({ provider, csv, tolerance_usd: tolerance }))
        },
        ({ differences, invoiced_usd, expected_usd, difference_usd }) =>
          `${table(INVOICE, differences as Json[])}\n\nInvoiced ${invoiced_usd} USD, expected ${expected_usd} USD: a difference of ${difference_usd} USD.`,
      ),
    )
}
