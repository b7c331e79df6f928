// Recorded chats of every provider in every format, against a real router. A sample by a fixed seed: `npm run replay` runs
// them all. Skipped where ../shared/recordings is not there.
import { beforeAll, describe, expect, it } from 'vitest'
import { haveRecordings } from '../providers/recordings.ts'
import { type Case, readRecorded } from './recorded.ts'
import { FORMATS, type Outcome, replayAll } from './replay.ts'
import { randomFrom } from './site.ts'
import { failures, refusals, table } from './table.ts'

const SEED = 20_261_121
/** Of each provider, format and kind of answer. */
const SAMPLE = 8

function sampleOf(cases: Case[]): Case[] {
  const random = randomFrom(SEED)
  const groups = new Map<string, { each: Case; order: number }[]>()
  for (const each of cases) {
    const name = `${each.source} ${each.protocol} ${each.streamed} ${each.status}`
    groups.set(name, [...(groups.get(name) ?? []), { each, order: random() }])
  }
  return [...groups.values()].flatMap((group) =>
    group
      .sort((one, other) => one.order - other.order)
      .slice(0, SAMPLE)
      .map(({ each }) => each),
  )
}

if (!haveRecordings) console.warn('The replay of recorded chats is skipped: ../shared/recordings is not there.')

describe.skipIf(!haveRecordings)('recorded chats (../shared/recordings)', () => {
  let outcomes: Outcome[] = []
  beforeAll(async () => {
    outcomes = await replayAll(sampleOf(readRecorded().cases), SEED)
    console.log(table(outcomes))
  }, 60_000)

  it('come back as they were in their own format, and say the same in every other', () => {
    expect(failures(outcomes)).toEqual([])
  })

  const pairs = FORMATS.flatMap((from) => FORMATS.map((to) => [from.protocol, to.protocol] as const))
  it.each(pairs)('of %s come through as %s, whole and streamed', (from, to) => {
    const between = outcomes.filter((each) => each.case.protocol === from && each.format === to)
    for (const mode of ['json', 'stream']) {
      const passed = between.filter((each) => each.mode === mode && each.result === 'pass')
      expect(passed.length, mode).toBeGreaterThan(2)
    }
  })

  it('are refused only with a reason that says what cannot be done', () => {
    for (const [reason] of refusals(outcomes)) {
      expect(reason).toMatch(/not |only in |cannot|Invalid value for '|must be/)
    }
    const refused = outcomes.filter(({ result }) => result === 'refuse')
    expect(refused.length).toBeLessThan(outcomes.length / 3)
  })
})
