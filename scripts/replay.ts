// `npm run replay [recordings…]`: every recorded chat in every format against a real router; prints the table, the reasons
// of refusals and whatever failed. Exit code 1 if anything did.
import { readRecorded } from '../test/replay/recorded.ts'
import { type Outcome, replayAll } from '../test/replay/replay.ts'
import { failures, refusals, table } from '../test/replay/table.ts'

const SEED = 20_261_121
const sources = process.argv.slice(2)
const { cases, unspoken } = readRecorded()
const chosen = sources.length > 0 ? cases.filter(({ source }) => sources.includes(source)) : cases
if (chosen.length === 0) {
  console.error('There are no recordings: ../shared/recordings is not there, or has none of that name.')
  process.exit(1)
}
const started = performance.now()
const outcomes: Outcome[] = await replayAll(chosen, SEED)
const failed = failures(outcomes)
const count = (result: Outcome['result']) => outcomes.filter((each) => each.result === result).length

console.log('pass/refuse/fail by recording and format of the caller; * is the recording’s own format\n')
console.log(table(outcomes))
console.log('\nRefused, and why:')
for (const [reason, times] of refusals(outcomes)) console.log(`${String(times).padStart(5)}  ${reason}`)
console.log('\nRecorded, but not replayed:')
for (const [what, times] of unspoken) console.log(`${String(times).padStart(5)}  ${what}`)
if (failed.length > 0) console.log(`\nFailed:\n${failed.join('\n')}`)
const seconds = ((performance.now() - started) / 1000).toFixed(1)
console.log(
  `\n${chosen.length} recordings, ${outcomes.length} replays in ${seconds} s: ${count('pass')} pass, ${count('refuse')} refused with a reason, ${failed.length} fail.`,
)
process.exitCode = failed.length > 0 ? 1 : 0
