// `npm run test:clients`: installs the real clients in a folder of their own and runs each against a real router, whose
// providers are a stand-in on loopback. Arguments choose cases by a part of their name. It is no part of `npm test`.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { AGENT_CASES } from '../test/clients/agents.ts'
import { type Bench, type Case, checkJobs } from '../test/clients/case.ts'
import { installClients, versionOf } from '../test/clients/install.ts'
import { PROGRAM_CASES } from '../test/clients/programs.ts'
import { type RouterProcess, startRouterProcess } from '../test/clients/router.ts'
import { type Stub, startStub } from '../test/clients/stub/server.ts'

interface Row {
  client: string
  version: string
  format: string
  what: string
  result: string
  seconds: string
}

const nameOf = ({ client, format, what }: Case) => `${client} ${format} ${what}`
const chosen = process.argv.slice(2).map((word) => word.toLowerCase())
const cases = [...AGENT_CASES, ...PROGRAM_CASES].filter((one) =>
  chosen.every((word) => nameOf(one).toLowerCase().includes(word)),
)

installClients((line) => console.log(line))
const folder = mkdtempSync(join(tmpdir(), 'switchyard-clients-'))
const data_dir = join(folder, 'data')
mkdirSync(data_dir)
const stub = await startStub()
const router = await startRouterProcess(data_dir, stub.url)
const rows: Row[] = []
const ended = () =>
  Promise.all([router.close(), stub.close()]).then(() => rmSync(folder, { recursive: true, force: true }))
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => void ended().then(() => process.exit(1)))

for (const [at, one] of cases.entries()) rows.push(await runCase(one, join(folder, String(at)), router, stub))
const { ok: books_right } = await router.call('POST', '/api/v1/verify')
await ended()

print(rows)
const failed = rows.filter(({ result }) => result.startsWith('FAILED')).length
console.log(`\n${rows.length - failed} passed, ${failed} failed; the books ${books_right ? 'add up' : 'DO NOT ADD UP'}`)
process.exitCode = failed > 0 || rows.length === 0 || !books_right ? 1 : 0

async function runCase(one: Case, place: string, router: RouterProcess, stub: Stub): Promise<Row> {
  const started = performance.now()
  const bench: Bench = {
    router,
    stub,
    key: await router.newKey(one.client),
    work: join(place, 'work'),
    home: join(place, 'home'),
  }
  for (const path of [bench.work, bench.home]) mkdirSync(path, { recursive: true })
  stub.take()
  router.log()
  let result: string
  try {
    await one.run(bench)
    result = `ok, ${await checkJobs(bench, one.jobs)}`
  } catch (error) {
    result = 'FAILED'
    console.log(`\n== ${nameOf(one)} ==\n${error instanceof Error ? error.message : error}`)
    for (const { path, faults } of stub.take()) console.log(`   provider: ${path} ${faults.join('; ')}`)
    for (const line of router.log()) if (/"status":[45]|"level":[56]0/.test(line)) console.log(`   router: ${line}`)
  }
  const seconds = ((performance.now() - started) / 1000).toFixed(1)
  console.log(`${result === 'FAILED' ? 'FAILED' : 'ok    '} ${nameOf(one)} (${seconds} s)`)
  return { client: one.client, version: versionOf(one.package), format: one.format, what: one.what, result, seconds }
}

function print(table: Row[]): void {
  const head: Row = {
    client: 'client',
    version: 'version',
    format: 'format',
    what: 'what',
    result: 'result',
    seconds: 's',
  }
  const names = Object.keys(head) as (keyof Row)[]
  const widths = names.map((name) => Math.max(...[head, ...table].map((row) => row[name].length)))
  console.log()
  for (const row of [head, ...table])
    console.log(
      names
        .map((name, at) => row[name].padEnd(widths[at] ?? 0))
        .join('  ')
        .trimEnd(),
    )
}
