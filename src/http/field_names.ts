// Names of form fields as the SDKs write them, put into the JSON object they stand for: `a[b]` is nested, `a[]` a list,
// and a name that comes again becomes a list. Pure.
import type { Json, JsonObject } from '../contract.ts'
import { RequestError } from './request_error.ts'

const NAME = /^([^[\]]+)((?:\[[^[\]]*\])*)$/
const DEPTH_MAX = 8
const FORBIDDEN = new Set(['__proto__', 'constructor', 'prototype'])

/** Throws RequestError 400 for names that cannot be read or that contradict an earlier one. */
export function setField(fields: JsonObject, name: string, value: string): void {
  const [, first, brackets = ''] = NAME.exec(name) ?? []
  if (first === undefined) throw unreadable(name)
  const path = [first, ...[...brackets.matchAll(/\[([^\]]*)\]/g)].map(([, key = '']) => key)]
  if (path.length > DEPTH_MAX || path.some((key) => FORBIDDEN.has(key) || key.includes('\0'))) throw unreadable(name)
  // An empty key or a number at the end asks for a list; within the path a list would have to guess what belongs together.
  const list = path.length > 1 && /^\d*$/.test(path.at(-1) ?? '')
  const keys = list ? path.slice(0, -1) : path
  if (keys.some((key) => key === '')) throw unreadable(name)
  const last = keys.pop() ?? first
  const place = keys.reduce((object, key) => child(object, key, name), fields)
  place[last] = joined(place[last], value, list, name)
}

function child(object: JsonObject, key: string, name: string): JsonObject {
  const found = object[key]
  if (found === undefined) {
    const made: JsonObject = Object.create(null)
    object[key] = made
    return made
  }
  if (typeof found !== 'object' || found === null || Array.isArray(found)) throw contradiction(name)
  return found
}

function joined(before: Json | undefined, value: string, list: boolean, name: string): Json {
  if (before === undefined) return list ? [value] : value
  if (Array.isArray(before)) {
    before.push(value)
    return before
  }
  if (typeof before === 'object') throw contradiction(name)
  return [before, value]
}

const shown = (name: string) => name.slice(0, 100)

const unreadable = (name: string) =>
  new RequestError(400, 'invalid_request', `The field name '${shown(name)}' cannot be read.`, shown(name))

const contradiction = (name: string) =>
  new RequestError(400, 'invalid_request', `The field '${shown(name)}' contradicts an earlier one.`, shown(name))
