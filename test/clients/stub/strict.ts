// What the real providers refuse and a stand-in would swallow: fields they do not know, tools without answers. It answers
// nothing itself; it collects what a real provider would have said 400 to.
import type { JsonObject } from '../../../src/contract.ts'

export const record = (value: unknown): JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : {}
export const list = (value: unknown): JsonObject[] => (Array.isArray(value) ? value.map(record) : [])
export const text = (value: unknown): string => (typeof value === 'string' ? value : '')

export function onlyKnown(object: JsonObject, known: string, where: string, faults: string[]): void {
  const names = new Set(known.split(' '))
  for (const name of Object.keys(object)) if (!names.has(name)) faults.push(`${where}: unknown field ${name}`)
}

/** The four vendors agree on this much about a function's name. */
export function toolNames(names: string[], faults: string[]): void {
  for (const name of names)
    if (!/^[A-Za-z_][\w.:-]{0,127}$/.test(name)) faults.push(`tools: ${JSON.stringify(name)} is no name of a tool`)
  const doubled = names.filter((name, at) => names.indexOf(name) !== at)
  if (doubled.length > 0) faults.push(`tools: ${doubled.join(', ')} twice`)
}

/** Every call has exactly one answer and every answer a call. */
export function answered(calls: string[], answers: string[], faults: string[]): void {
  for (const id of calls) if (!answers.includes(id)) faults.push(`the call ${id} has no answer`)
  for (const id of answers) if (!calls.includes(id)) faults.push(`the answer ${id} has no call`)
}

/** OpenAI's models that think draw their words as they will (gpt-5.5 and others, 2026-10). */
export function openaiSampling(body: JsonObject, effort: unknown, faults: string[]): void {
  if (!/^gpt-[5-9]|^o\d/.test(text(body.model)) || effort === 'none') return
  for (const name of ['temperature', 'top_p'])
    if (![undefined, 1].includes(body[name] as number)) faults.push(`${name} is not supported with this model`)
}

/** Anthropic's take one way of drawing words, Opus from 4.7 on none, and all none but the usual while they think (2026-06). */
export function anthropicSampling(body: JsonObject, thinks: boolean, faults: string[]): void {
  const given = ['temperature', 'top_p', 'top_k'].filter((name) => body[name] !== undefined)
  if (given.includes('temperature') && given.includes('top_p')) faults.push('temperature and top_p exclude each other')
  const takes_none = /claude-opus-4-[78]/.test(text(body.model))
  if ((thinks || takes_none) && given.some((name) => body[name] !== 1))
    faults.push(`${given.join(', ')}: not supported with this model, or with thinking`)
}
