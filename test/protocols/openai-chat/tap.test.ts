// The pass-through reader of chat streams: the bytes stay the provider's, and nothing of what they mean is missed.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ChatTap, type TapOptions } from '../../../src/protocols/openai-chat/tap.ts'

const head = { id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1, model: 'm' }
const event = (chunk: object) => `data: ${JSON.stringify({ ...head, ...chunk })}\n\n`
const delta = (delta: object, more: object = {}, index = 0) =>
  event({ choices: [{ index, delta, logprobs: null, finish_reason: null }], ...more })
const finish = (reason: string, more: object = {}, index = 0) =>
  event({ choices: [{ index, delta: {}, logprobs: null, finish_reason: reason }], ...more })
const usage = { prompt_tokens: 10, completion_tokens: 4, total_tokens: 14 }
const DONE = 'data: [DONE]\n\n'

function run(text: string, options: Partial<TapOptions> = {}, cuts: number[] = []) {
  const tap = new ChatTap({ provider: 'Acme', strip_usage: false, ...options })
  const bytes = Buffer.from(text)
  const sent: Uint8Array[] = []
  let from = 0
  for (const cut of [...cuts, bytes.length].sort((a, b) => a - b)) {
    if (cut > from) sent.push(tap.push(bytes.subarray(from, cut)) ?? Buffer.alloc(0))
    from = Math.max(from, cut)
  }
  const result = tap.finish()
  return { tap, result, sent: Buffer.concat(sent).toString() }
}

describe('a stream as OpenAI sends it', () => {
  const opening = [delta({ role: 'assistant', content: '' }), delta({ content: 'Hällo' }), delta({ content: ' "you"' })]
  const body = [...opening, delta({ content: '!' }), finish('stop')].join('')
  const text = body + event({ choices: [], usage }) + DONE

  it('goes on byte for byte but for the end, which waits and gets the cost', () => {
    const { tap, result, sent } = run(text)
    expect(sent).toBe(body)
    expect(result).toMatchObject({ complete: true, done: true, finish_reasons: ['stop'], has_output: true })
    expect(result.output_bytes).toBe(Buffer.byteLength('Hällo "you"!'))
    expect(result.usage?.meters).toEqual({ input_tokens: 10, output_tokens: 4 })
    const tail = Buffer.from(tap.tail('0.000000010')).toString()
    expect(tail).toBe(
      `data: ${JSON.stringify({ ...head, choices: [], usage: { ...usage, cost: 'X' } }).replace('"X"', '0.000000010')}\n\n${DONE}`,
    )
  })

  it('comes out the same however the network cut it', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(text.length)), fc.boolean(), (cuts, strip_usage) => {
        const whole = run(text, { strip_usage })
        const cut = run(text, { strip_usage }, cuts)
        expect([cut.sent, cut.result]).toEqual([whole.sent, whole.result])
      }),
    )
  })

  it('hands on the very same bytes where nothing in them changes', () => {
    const tap = new ChatTap({ provider: 'Acme', strip_usage: true })
    const chunk = Buffer.from(opening.join(''))
    expect(tap.push(chunk)?.buffer).toBe(chunk.buffer)
  })

  it('loses the usage and its empty places where the caller did not ask for it', () => {
    const asked = [...opening, finish('stop')]
      .join('')
      .replaceAll('"finish_reason":null}]}', '"finish_reason":null}],"usage":null}')
    const { tap, sent, result } = run(asked + event({ choices: [], usage }) + DONE, { strip_usage: true })
    expect(sent).toBe([...opening, finish('stop')].join(''))
    expect(Buffer.from(tap.tail('1')).toString()).toBe(DONE)
    expect(result.usage?.meters.output_tokens).toBe(4)
  })

  it('gives a usage chunk of ours where the provider gave none', () => {
    const { tap } = run(body + DONE)
    const counted = { meters: { input_tokens: 3, output_tokens: 2 }, source: 'counted' as const }
    const tail = Buffer.from(tap.tail('0.5', counted)).toString()
    expect(JSON.parse(tail.slice(6, tail.indexOf('\n')))).toMatchObject({
      ...head,
      choices: [],
      usage: { prompt_tokens: 3, completion_tokens: 2, cost: 0.5 },
    })
  })
})

describe('dialects', () => {
  it('holds an end that carries its usage with it, and moves the provider’s own cost out (DeepSeek, Mistral, OpenRouter)', () => {
    const end = finish('stop', { usage: { ...usage, cost: 9 } })
    const { tap, sent, result } = run(delta({ content: 'a' }) + end + DONE, { strip_usage: true })
    expect(sent).toBe(delta({ content: 'a' }))
    expect(Buffer.from(tap.tail('0.25')).toString()).toContain('"total_tokens":14,"cost":0.25}')
    expect(result.usage?.raw).toMatchObject({ cost: 9 })
  })

  it('sends on a usage that turned out not to be the last chunk', () => {
    const first = finish('stop', { usage })
    const second = finish('stop', { usage: { ...usage, completion_tokens: 5 } })
    const { sent, result } = run(first + second + DONE)
    expect(sent).toBe(first)
    expect(result.usage?.meters.output_tokens).toBe(5)
  })

  it('keeps what follows the usage in its place (OpenAI’s verdict on the output)', () => {
    const verdict = event({ choices: [], moderation: { output: { flagged: false, note: 'é' } }, usage: null })
    const { tap, sent } = run(finish('stop') + event({ choices: [], usage }) + verdict + DONE)
    expect(sent).toBe(finish('stop'))
    const tail = Buffer.from(tap.tail('1')).toString()
    expect(tail).toContain('"cost":1}')
    expect(tail.endsWith(verdict + DONE)).toBe(true)
  })

  it('does not delay a server that tells the usage so far in every chunk', () => {
    const chunks = [delta({ content: 'a' }, { usage }), delta({ content: 'b' }, { usage })]
    expect(run(chunks.join('')).sent).toBe(chunks.join(''))
  })

  it('finds usage where Groq puts it', () => {
    const { result, sent } = run(delta({ content: 'a' }) + finish('stop', { x_groq: { id: 'r', usage } }) + DONE)
    expect(result.usage?.meters).toEqual({ input_tokens: 10, output_tokens: 4 })
    expect(sent).toContain('x_groq')
  })

  it('counts thoughts and tool calls as output', () => {
    const call = { index: 0, id: 'c', type: 'function', function: { name: 'f', arguments: '{"a":' } }
    expect(run(delta({ reasoning_content: 'hmm' })).result).toMatchObject({ has_output: true, output_bytes: 3 })
    expect(run(delta({ tool_calls: [call] })).result).toMatchObject({ has_output: true, output_bytes: 6 })
    expect(run(delta({ role: 'assistant', content: '' })).result.has_output).toBe(false)
    expect(run(delta({ audio: { id: 'a', data: 'AAAA' } })).result.has_output).toBe(true)
  })

  it('keeps comments, other line ends and padding that differs in every chunk', () => {
    const padded = [
      ': PROCESSING\n\n',
      delta({ content: 'a' }, { obfuscation: 'xyz' }),
      delta({ content: 'bc' }, { obfuscation: 'q' }),
      delta({ content: '\\n' }, { obfuscation: '' }),
    ].join('')
    expect(run(padded)).toMatchObject({ sent: padded, result: { output_bytes: 5 } })
    const crlf = (delta({ content: 'é' }) + finish('stop')).replaceAll('\n', '\r\n')
    expect(run(crlf)).toMatchObject({ sent: crlf, result: { complete: true, output_bytes: 2 } })
  })

  it('takes an end marker without its blank line', () => {
    expect(run(`${delta({ content: 'a' })}${finish('stop')}data: [DONE]`).result).toMatchObject({
      complete: true,
      done: true,
    })
  })

  it('is complete only when every choice that began has ended', () => {
    const two = delta({ content: 'a' }) + delta({ content: 'b' }, {}, 1) + finish('stop')
    expect(run(two + DONE).result.complete).toBe(false)
    expect(run(two + finish('length', {}, 1) + DONE).result).toMatchObject({
      complete: true,
      finish_reasons: ['stop', 'length'],
    })
  })
})

describe('faults', () => {
  it('stops before an error told in the stream', () => {
    const failing = `${delta({ content: 'a' })}data: {"error":{"message":"no more","code":503}}\n\n${DONE}`
    const { sent, result } = run(failing)
    expect(sent).toBe(delta({ content: 'a' }))
    expect(result).toMatchObject({ complete: false, error: { kind: 'overloaded' }, has_output: true })
  })

  it('stops before an event that is not JSON, also among events of the usual form', () => {
    const good = delta({ content: 'a' })
    for (const bad of ['data: <html>\n\n', good.replace('"a"', 'a"'), good.replace('}]}', '}]'), 'data: "x"\n\n']) {
      const { sent, result } = run(good + good + bad + good)
      expect(sent).toBe(good + good)
      expect(result.error?.kind).toBe('bad_response')
    }
  })

  it('takes a finish_reason of error for the error it is', () => {
    expect(run(finish('error')).result).toMatchObject({ complete: false, error: { kind: 'unavailable' } })
  })

  it('knows a stream that was cut from one that ended', () => {
    const whole = delta({ content: 'a' }) + delta({ content: 'b' })
    expect(run(whole.slice(0, -9))).toMatchObject({ sent: delta({ content: 'a' }), result: { complete: false } })
    expect(run(whole).result.error).toBeUndefined()
  })

  it('is not deceived by text that looks like structure', () => {
    const sly = delta({ content: '"usage":{"prompt_tokens":1},"error":true,"finish_reason":"stop"\n\ndata: [DONE]' })
    expect(run(sly)).toMatchObject({ sent: sly, result: { complete: false, done: false, has_output: true } })
  })
})

it('costs little: a hundred thousand plain events in well under a second', () => {
  const tap = new ChatTap({ provider: 'Acme', strip_usage: true })
  const chunk = Buffer.from(delta({ content: ' token' }))
  const started = performance.now()
  for (let i = 0; i < 100_000; i++) tap.push(chunk)
  const microseconds = ((performance.now() - started) * 1000) / 100_000
  if (process.env.SHOW_TIMES) console.log(`${microseconds.toFixed(2)} µs an event`)
  expect(microseconds).toBeLessThan(20)
})
