// Server-sent events: the same events come out however the network cuts the bytes.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { EventFramer, encodeEvent, readEvents, SseDecoder, type SseEvent } from '../../src/protocols/sse.ts'

function decode(bytes: Uint8Array, cuts: number[]): SseEvent[] {
  const decoder = new SseDecoder()
  const events: SseEvent[] = []
  let from = 0
  for (const cut of [...new Set(cuts)].sort((a, b) => a - b)) {
    events.push(...decoder.push(bytes.subarray(from, cut)))
    from = cut
  }
  return [...events, ...decoder.push(bytes.subarray(from)), ...decoder.end()]
}

const data = fc.string({ unit: 'grapheme', minLength: 1 }).filter((text) => !/[\r\n]/.test(text))
const line = fc.oneof(
  data.map((text) => `data: ${text}`),
  data.map((text) => `data:${text}`),
  data.map((text) => `: ${text}`),
  fc.constant('data'),
  fc.constant('event: ping'),
  fc.constant(''),
)
const stream = fc
  .array(fc.tuple(line, fc.constantFrom('\n', '\r\n', '\r')))
  .map((lines) => lines.map(([text, end]) => text + end).join(''))

describe('SseDecoder', () => {
  it('gives the same events for every cutting of the bytes', () => {
    const cuts = fc.array(fc.nat(2000))
    fc.assert(
      fc.property(stream, cuts, (text, places) => {
        const bytes = Buffer.from(text)
        const within = places.map((place) => (bytes.length ? place % bytes.length : 0))
        expect(decode(bytes, within)).toEqual(decode(bytes, []))
        expect(decode(bytes, [...bytes.keys()])).toEqual(decode(bytes, []))
      }),
    )
  })

  it('reads back what encodeEvent wrote, lines and all', () => {
    const event = fc.record({ data: fc.string({ unit: 'grapheme' }).map((text) => `x${text.replaceAll('\r', '')}`) })
    fc.assert(
      fc.property(fc.array(event), (events) => {
        expect(decode(Buffer.from(events.map(encodeEvent).join('')), [])).toEqual(events)
      }),
    )
  })

  it('knows comments, names, ids, a byte order mark and a last event without its blank line', () => {
    const text = '\ufeff: hi\n\nevent: error\nid: 7\ndata: a\ndata: b\n\nretry: 5\n\ndata: [DONE]'
    expect(decode(Buffer.from(text), [])).toEqual([{ event: 'error', id: '7', data: 'a\nb' }, { data: '[DONE]' }])
  })

  it('reads a ten-megabyte event in small pieces in linear time', () => {
    const decoder = new SseDecoder()
    const piece = Buffer.alloc(1000, 0x61)
    const started = performance.now()
    decoder.push(Buffer.from('data: '))
    for (let i = 0; i < 10_000; i++) decoder.push(piece)
    expect(decoder.push(Buffer.from('\n\n'))[0]?.data.length).toBe(10_000_000)
    expect(performance.now() - started).toBeLessThan(2000)
  })

  it('refuses an event without end', () => {
    const framer = new EventFramer()
    const piece = Buffer.alloc(16 * 1024 * 1024, 0x61)
    expect(() => {
      for (let i = 0; i < 6; i++) framer.push(piece)
    }).toThrow('too long')
  })
})

it('skips an event that has no data', () => {
  expect(readEvents('event: ping\n\ndata: 1\n\n')).toEqual([{ data: '1' }])
})
