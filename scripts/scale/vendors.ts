// The vendors of the scale run: made-up film makers, each with times, limits and habits of its own. What they are is
// written down here once, for the server that plays them, the adapters, the price files and the reckoning.

export interface Vendor {
  id: string
  /** How long a film takes at the least, and how much longer the slowest twentieth's neighbours take. */
  least_s: number
  spread_s: number
  /** One film in so many takes half as long again; 0: none. */
  straggler: number
  /** One film in so many fails. */
  failing: number
  /** Polls it bears in a second; more are answered 429. */
  polls_per_second: number
  submissions_per_second: number
  usd_per_second: string
  /** What it says of a submission whose answer was lost. */
  lost_answer: 'repeatable' | 'find' | 'unknown'
}

export const VENDORS: readonly Vendor[] = [
  {
    id: 'swift',
    least_s: 100,
    spread_s: 8,
    straggler: 0,
    failing: 50,
    polls_per_second: 200,
    submissions_per_second: 100,
    usd_per_second: '0.01',
    lost_answer: 'repeatable',
  },
  {
    id: 'steady',
    least_s: 115,
    spread_s: 15,
    straggler: 100,
    failing: 100,
    polls_per_second: 200,
    submissions_per_second: 100,
    usd_per_second: '0.025',
    lost_answer: 'find',
  },
  {
    id: 'slow',
    least_s: 140,
    spread_s: 25,
    straggler: 50,
    failing: 100,
    polls_per_second: 200,
    submissions_per_second: 60,
    usd_per_second: '0.123456789',
    lost_answer: 'unknown',
  },
  {
    id: 'uneven',
    least_s: 105,
    spread_s: 70,
    straggler: 25,
    failing: 33,
    polls_per_second: 300,
    submissions_per_second: 60,
    usd_per_second: '0.000000001',
    lost_answer: 'repeatable',
  },
]

/** What the vendors' server tells of one film when it is asked for everything. */
export interface FilmReport {
  vendor: string
  job: string
  submitted_at: number
  completed_at: number
  fails: boolean
  /** How often the same job was submitted as another film. */
  doubles: number
  polls: number
}

export interface VendorReport {
  id: string
  polls: number
  refused_polls: number
  refused_submissions: number
  /** In the busiest second. */
  most_polls: number
  polls_by_second: [second: number, polls: number][]
  films: FilmReport[]
}
