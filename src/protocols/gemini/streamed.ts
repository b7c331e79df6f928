// The chunks of a stream put together into the one answer they amount to.
import type { JsonObject } from '../../contract.ts'
import { isRecord, record } from '../lenient.ts'
import { candidatesOf } from './output.ts'

export class StreamedAnswer {
  #head: JsonObject = {}
  #candidates = new Map<number, JsonObject>()

  add(chunk: JsonObject): void {
    this.#head = { ...this.#head, ...chunk }
    for (const candidate of candidatesOf(chunk)) this.#add(candidate as JsonObject)
  }

  get answer(): JsonObject {
    const candidates = [...this.#candidates].sort(([a], [b]) => a - b).map(([, candidate]) => candidate)
    return { ...this.#head, candidates }
  }

  #add(chunk: JsonObject): void {
    const index = typeof chunk.index === 'number' ? chunk.index : 0
    const known = this.#candidates.get(index)
    const parts = (record(known?.content).parts ?? []) as JsonObject[]
    const more = record(chunk.content).parts
    for (const part of Array.isArray(more) ? more.filter(isRecord) : []) addPart(parts, part as JsonObject)
    this.#candidates.set(index, { ...known, ...chunk, content: { parts, role: 'model' } })
  }
}

/** Pieces of one text or one thought become one part. */
export function addPart(parts: JsonObject[], part: JsonObject | undefined): void {
  if (!part || isEmpty(part)) return
  const last = parts.at(-1)
  const joins =
    last?.thoughtSignature === undefined &&
    typeof last?.text === 'string' &&
    typeof part.text === 'string' &&
    last.thought === part.thought
  if (joins && last) Object.assign(last, part, { text: `${last.text}${part.text}` })
  else parts.push({ ...part })
}

const isEmpty = (part: JsonObject) => part.text === '' && Object.keys(part).length === 1
