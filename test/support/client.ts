// A caller of a test router: the official SDK without its own retries, and what the account has paid.
import OpenAI from 'openai'
import type { TestRouter } from './router.ts'

export const clientOf = ({ base_url, api_key }: TestRouter): OpenAI =>
  new OpenAI({ baseURL: base_url, apiKey: api_key, maxRetries: 0 })

interface Credits {
  held_usd: string
  settled_usd: string
}

export async function creditsOf({ base_url, api_key }: TestRouter): Promise<Credits> {
  const response = await fetch(`${base_url}/credits`, { headers: { authorization: `Bearer ${api_key}` } })
  return (await response.json()) as Credits
}

/** What the work cost the account, in USD to nine places. Nothing may stay held. */
export async function costOf(router: TestRouter, work: () => Promise<unknown>): Promise<string> {
  const before = await creditsOf(router)
  await work()
  const after = await creditsOf(router)
  if (after.held_usd !== '0.000000000') throw new Error(`${after.held_usd} USD are still held.`)
  return (Number(after.settled_usd) - Number(before.settled_usd)).toFixed(9)
}

/** A POST of JSON with plain fetch. */
export function post(
  { base_url, api_key }: TestRouter,
  path: string,
  body: unknown,
  headers: Record<string, string> = {},
) {
  return fetch(base_url + path, {
    method: 'POST',
    headers: { authorization: `Bearer ${api_key}`, 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  })
}

export const get = ({ base_url, api_key }: TestRouter, path: string, headers: Record<string, string> = {}) =>
  fetch(base_url + path, { headers: { authorization: `Bearer ${api_key}`, ...headers } })

/** The error of an answer that must be one. */
export async function errorOf(
  response: Response,
): Promise<{ status: number; code: string; param: string | null; message: string }> {
  const { error } = (await response.json()) as { error: { code: string; param: string | null; message: string } }
  return { status: response.status, code: error.code, param: error.param, message: error.message }
}

/** Looks again every few milliseconds until the answer is there. */
export async function eventually<Result>(look: () => Promise<Result | undefined>, within_ms = 15_000): Promise<Result> {
  const end = Date.now() + within_ms
  for (;;) {
    const found = await look()
    if (found !== undefined) return found
    if (Date.now() > end) throw new Error('It did not happen in time.')
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
