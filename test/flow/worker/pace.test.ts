// What the worker is bounded by: pace, places and learned times, each by itself.
import { describe, expect, it } from 'vitest'
import { Lanes } from '../../../src/flow/worker/lanes.ts'
import { Pace } from '../../../src/flow/worker/pace.ts'
import { Places } from '../../../src/flow/worker/places.ts'
import { Timing } from '../../../src/flow/worker/timing.ts'

describe('a pace', () => {
  /** The polls of so many milliseconds, taken a quarter of a second at a time as the worker does. */
  function polls(pace: Pace, from: number, ms: number): number[] {
    const times: number[] = []
    for (let now = from; now < from + ms; now += 250) {
      for (let room = pace.room(now, now + 250); room > 0; room--) times.push(pace.take(now))
    }
    return times
  }

  it('gives no more turns in any second than it may, and few less', () => {
    const times = polls(new Pace(() => 20), 0, 10_000)
    const most = Math.max(...times.map((from) => times.filter((at) => at >= from && at < from + 1000).length))
    expect(most).toBeLessThanOrEqual(20)
    expect(times.length).toBeGreaterThan(180)
  })

  it('stops for as long as it is told, goes on at half, and grows back with what goes well', () => {
    const pace = new Pace(() => 20)
    polls(pace, 0, 1000)
    pace.slowDown(1000, 3000)
    expect(polls(pace, 1000, 2500)).toEqual([])
    const slower = polls(pace, 4000, 2000).length
    expect(slower).toBeGreaterThan(15)
    expect(slower).toBeLessThan(23)
    for (let answered = 0; answered < 60; answered++) pace.wentWell()
    expect(polls(pace, 7000, 2000).length).toBeGreaterThan(35)
  })

  it('takes refusals of one moment for one', () => {
    const pace = new Pace(() => 20)
    for (let refused = 0; refused < 10; refused++) pace.slowDown(refused, 1)
    expect(polls(pace, 100, 2000).length).toBeGreaterThan(15)
  })

  it('is shared by the routers that live', () => {
    let routers = 1
    const lanes = new Lanes({ pollsPerSecond: () => 100, routers: () => routers })
    const alone = polls(lanes.of('acme').pace, 0, 1000).length
    routers = 2
    const shared = polls(lanes.of('acme').pace, 2000, 1000).length
    expect(alone).toBeGreaterThan(90)
    expect(shared / alone).toBeCloseTo(0.5, 1)
  })
})

describe('places', () => {
  it('are given in the order of asking, and not to those who have left', async () => {
    const places = new Places(1)
    const signal = new AbortController().signal
    const leave = await places.enter(signal)
    const gone = new AbortController()
    const order: string[] = []
    const impatient = places.enter(gone.signal).catch(() => order.push('gone'))
    const first = places.enter(signal).then((leaveFirst) => {
      order.push('first')
      leaveFirst()
    })
    const second = places.enter(signal).then(() => order.push('second'))
    gone.abort()
    await impatient
    expect(places.waiting).toBe(2)
    leave()
    leave()
    await Promise.all([first, second])
    expect(order).toEqual(['gone', 'first', 'second'])
    expect(places.free).toBe(0)
  })
})

describe('learned times', () => {
  const MINUTE = 60_000
  const taught = (...seconds: number[]) => {
    const timing = new Timing()
    for (const done of seconds) timing.learn(done * 1000, done * 1000 - 500)
    return timing
  }
  const about_a_minute = taught(58, 59, 59, 60, 60, 60, 61, 61, 62, 63)

  it('wait until work is usually done, and look often then', () => {
    expect(about_a_minute.nextLook(0, 0, { random: 0.5 })).toBeGreaterThan(0.9 * MINUTE)
    expect(about_a_minute.nextLook(0, 0, { random: 0.5 })).toBeLessThan(MINUTE)
    expect(about_a_minute.nextLook(MINUTE, 0, { random: 0.5 })).toBeLessThan(4000)
  })

  it('look less often at what has taken longer than it ever does', () => {
    expect(about_a_minute.nextLook(3 * MINUTE, 0, { random: 0.5 })).toBeGreaterThan(10_000)
  })

  it('show whoever watches some progress once a minute, where the provider’s polls have room for it', () => {
    const long = taught(600, 600, 600, 600, 600, 600, 600, 600)
    expect(long.nextLook(0, 0, { random: 0.5 })).toBe(MINUTE)
    expect(long.nextLook(0, 0, { random: 0.5, spare: false })).toBeGreaterThan(9 * MINUTE)
  })

  it('never look before the time that the provider names', () => {
    expect(about_a_minute.nextLook(MINUTE, 20_000)).toBe(20_000)
    expect(new Timing().nextLook(0, 5000, { random: 0.5 })).toBe(5000)
  })

  it('shrink again when the provider becomes faster', () => {
    const timing = taught(...Array.from({ length: 64 }, () => 60))
    // Seen at the first look each time: when it was done before is not known.
    for (let jobs = 0; jobs < 640; jobs++) timing.learn(timing.nextLook(0, 0, { random: 0.5 }), 0)
    expect(timing.nextLook(0, 0, { random: 0.5 })).toBeLessThan(0.9 * MINUTE)
  })

  it('are handed to a router that starts', () => {
    const other = new Timing()
    other.begin(about_a_minute.sketch())
    expect(other.nextLook(0, 0, { random: 0.5 })).toBeGreaterThan(0.9 * MINUTE)
    expect(new Timing().sketch()).toEqual([])
  })
})
