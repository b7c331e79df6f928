// The router's API as its callers use it, for the torture: JSON in and out, lists read to their end. It never retries.
import type { Victim } from './victim.ts'

export interface Job {
  id: string
  operation: string
  status: 'queued' | 'in_progress' | 'completed' | 'failed' | 'canceled' | 'expired'
  created_at: number
  outputs: { url: string; bytes: number }[]
  billing: { status: string; hold_usd: string; cost_usd: string | null }
}

export interface Entry {
  id: string
  type: 'grant' | 'settle'
  amount_usd: string
  job_id: string | null
}

export class Api {
  readonly #victim: Victim
  readonly #key: string

  constructor(victim: Victim, key: string) {
    this.#victim = victim
    this.#key = key
  }

  fetch(path: string, body?: unknown, init: RequestInit = {}): Promise<Response> {
    return fetch(`${this.#victim.url}${path}`, {
      method: body === undefined ? 'GET' : 'POST',
      ...init,
      headers: {
        authorization: `Bearer ${this.#key}`,
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...(init.headers as Record<string, string> | undefined),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
  }

  async json<Body>(path: string, body?: unknown): Promise<Body> {
    const response = await this.fetch(path, body)
    if (!response.ok) throw new Error(`${path} answered ${response.status}: ${await response.text()}`)
    return (await response.json()) as Body
  }

  /** Every page of a list. */
  async all<Item extends { id: string }>(path: string): Promise<Item[]> {
    const items: Item[] = []
    for (let after = ''; ; ) {
      const page = `${path}${path.includes('?') ? '&' : '?'}limit=100&order=asc${after && `&after=${after}`}`
      const { data, has_more } = await this.json<{ data: Item[]; has_more: boolean }>(page)
      items.push(...data)
      const last = data.at(-1)
      if (!has_more || !last) return items
      after = last.id
    }
  }
}
