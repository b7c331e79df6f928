// The scan of image answers: it must see what JSON.parse sees, however the network cut the bytes.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { HeldAnswer } from '../../../src/protocols/openai-media/scan.ts'

function held(text: string, piece_bytes = Number.POSITIVE_INFINITY): HeldAnswer {
  const answer = new HeldAnswer()
  const bytes = Buffer.from(text)
  for (let at = 0; at < bytes.length; at += piece_bytes) answer.push(bytes.subarray(at, at + piece_bytes))
  return answer
}

const textOf = (chunks: Buffer[]) => Buffer.concat(chunks).toString()

describe('HeldAnswer', () => {
  it('finds the usage before and after the pictures', () => {
    const data = '"data":[{"b64_json":"QUJD"},{"b64_json":"REVG"}]'
    for (const text of [`{"usage":{"a":1},${data}}`, `{"created":1,${data},"usage": {"a":1} }`]) {
      const answer = held(text, 3)
      expect(answer).toMatchObject({ whole: true, images: 2, embedded: 2 })
      expect(answer.read('usage')).toEqual({ a: 1 })
      expect(JSON.parse(textOf(answer.with('usage', '{"cost":0.01}')))).toEqual({
        ...JSON.parse(text),
        usage: { cost: 0.01 },
      })
    }
  })

  it('adds the usage where there is none, and leaves every other byte', () => {
    expect(textOf(held('{"data":[{"b64_json":"QQ=="}]}\n').with('usage', '{}'))).toBe(
      '{"data":[{"b64_json":"QQ=="}],"usage":{}}\n',
    )
    expect(textOf(held('{}').with('usage', '{}'))).toBe('{"usage":{}}')
  })

  it('is not taken in by the word usage within a prompt, a picture or an object', () => {
    const text = JSON.stringify({
      data: [{ b64_json: 'QQ==', revised_prompt: '"usage":{"x":1} \\" }', usage: { no: true } }],
      note: 'usage',
      usage: { yes: true },
    })
    for (let size = 1; size < 12; size++) expect(held(text, size).read('usage')).toEqual({ yes: true })
  })

  it('tells pictures that are addresses from those that are bytes', () => {
    expect(held('{"data":[{"url":"https://a/b"},{"b64_json":"QQ=="}]}')).toMatchObject({ images: 2, embedded: 1 })
  })

  it('sees what is cut off, what is no object and what goes on after the end', () => {
    const text = '{"data":[{"b64_json":"QQ=="}],"usage":{"a":1}}'
    for (let end = 0; end < text.length; end++) expect(held(text.slice(0, end)).whole).toBe(false)
    for (const wrong of ['[]', 'null', '<html>', `${text}x`, `${text}{}`]) expect(held(wrong).whole).toBe(false)
  })

  it('agrees with JSON.parse about every member, however the bytes are cut', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string(), fc.jsonValue()),
        fc.integer({ min: 1, max: 40 }),
        fc.nat(3),
        (object, size, indent) => {
          const text = JSON.stringify(object, null, indent)
          const answer = held(text, size)
          expect(answer.whole).toBe(true)
          for (const [name, value] of Object.entries(JSON.parse(text) as object)) {
            if (name.length > 20 || /[^\x20-\x21\x23-\x5b\x5d-\x7e]/.test(name)) continue
            expect(answer.read(name)).toEqual(value)
          }
          const marked = JSON.parse(textOf(answer.with('usage', '"ours"'))) as Record<string, unknown>
          expect(marked).toEqual({ ...(JSON.parse(text) as object), usage: 'ours' })
        },
      ),
      { numRuns: 300 },
    )
  })
})
