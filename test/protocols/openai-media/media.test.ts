// Pictures, sound, film and vectors over OpenAI's API, against a real server: what is sent, and that what comes back is
// equal to what the server said.
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Asset, Call, Progress } from '../../../src/contract.ts'
import { openaiEmbedding } from '../../../src/protocols/openai-media/embedding.ts'
import { openaiImage, readImageUsage } from '../../../src/protocols/openai-media/image.ts'
import { outputImageTokens } from '../../../src/protocols/openai-media/image_tokens.ts'
import { openaiModeration } from '../../../src/protocols/openai-media/moderation.ts'
import { openaiSpeech } from '../../../src/protocols/openai-media/speech.ts'
import { openaiTranscription } from '../../../src/protocols/openai-media/transcription.ts'
import { openaiVideo } from '../../../src/protocols/openai-media/video.ts'
import { makeProviderFetch, readBody } from '../../../src/protocols/transport.ts'
import { PNG, videoServer } from '../../fixtures/openai-compatible.ts'
import { json, Stub, sse } from '../../providers/stub.ts'

let stub: Stub
let fetch: ReturnType<typeof makeProviderFetch>
beforeEach(async () => {
  stub = await new Stub().start()
  fetch = makeProviderFetch({ provider: 'Acme' })
})
afterEach(async () => {
  await stub.stop()
  await fetch.close()
})

const server = () => ({ provider: 'Acme', base_url: `${stub.url}/v1`, api_key: 'sk-hush', fetch })
const call = (upstream: string, more: Partial<Call> = {}): Call => ({
  job: 'job_1',
  upstream,
  options: {},
  signal: new AbortController().signal,
  log: { debug: () => {}, warn: () => {} },
  ...more,
})
const sentJson = () => JSON.parse(String(stub.seen.at(-1)?.body))
const sentForm = () => {
  const { headers, body } = stub.seen.at(-1) ?? { headers: {}, body: Buffer.alloc(0) }
  return new Response(new Uint8Array(body), { headers: { 'content-type': headers['content-type'] ?? '' } }).formData()
}
function output<Output>(progress: Progress<Output>): Output {
  if (progress.status !== 'done') throw new Error(`it is ${progress.status}`)
  return progress.output
}
const png: Asset = { type: 'bytes', data: Buffer.from(PNG, 'base64'), media_type: 'image/png' }
const imageUsage = {
  input_tokens: 432,
  input_tokens_details: { image_tokens: 388, text_tokens: 44 },
  output_tokens: 4160,
  total_tokens: 4592,
}

describe('images', () => {
  const answer = {
    created: 1746193657,
    data: [{ b64_json: PNG, odd: 1 }],
    output_format: 'webp',
    usage: imageUsage,
    odd: 2,
  }

  it('are made with every field that the caller gave', async () => {
    stub.answer = json(answer)
    const request = {
      model: 'm',
      prompt: 'a cat',
      n: 1,
      size: '1024x1024',
      quality: 'high',
      extra: { moderation: 'low' },
    }
    const progress = await openaiImage(server()).start(request, call('gpt-image-2'))
    expect(sentJson()).toEqual({
      moderation: 'low',
      model: 'gpt-image-2',
      prompt: 'a cat',
      n: 1,
      size: '1024x1024',
      quality: 'high',
    })
    expect(stub.seen[0]).toMatchObject({
      path: '/v1/images/generations',
      headers: { authorization: 'Bearer sk-hush', 'idempotency-key': 'job_1' },
    })
    expect(output(progress)).toEqual({
      images: [{ image: { type: 'bytes', data: Buffer.from(PNG, 'base64'), media_type: 'image/webp' } }],
      answer,
    })
    expect(progress).toMatchObject({
      usage: {
        meters: { images: 1, input_tokens: 44, input_image_tokens: 388, output_image_tokens: 4160 },
        source: 'reported',
        raw: imageUsage,
      },
    })
  })

  it('are edited by upload, one under image and several under image[]', async () => {
    stub.answer = json(answer)
    const image = openaiImage(server())
    const request = {
      model: 'm',
      prompt: 'add a hat',
      n: 1,
      images: [png],
      mask: png,
      extra: { input_fidelity: 'high' },
    }
    await image.start(request, call('gpt-image-1.5'))
    const one = await sentForm()
    expect(stub.seen[0]?.path).toBe('/v1/images/edits')
    expect([...one.keys()].sort()).toEqual(['image', 'input_fidelity', 'mask', 'model', 'n', 'prompt'])
    expect(Buffer.from(await (one.get('image') as File).arrayBuffer()).toString('base64')).toBe(PNG)
    await image.forward?.(
      { ...request, images: [png, png], extra: { stream: true, a: { b: [1, 2] } } },
      call('gpt-image-1.5'),
    )
    const two = await sentForm()
    expect(two.getAll('image[]').length).toBe(2)
    expect([two.get('stream'), two.getAll('a[b][]'), two.get('prompt')]).toEqual(['true', ['1', '2'], 'add a hat'])
  })

  it('pass through byte for byte', async () => {
    stub.answer = json(answer)
    const wire = await openaiImage(server()).forward?.(
      { model: 'm', prompt: 'a cat', n: 2, partial_images: 2, extra: { stream: true } },
      call('gpt-image-2'),
    )
    expect(wire && String(await readBody(wire, 10_000))).toBe(JSON.stringify(answer))
    expect(sentJson()).toEqual({ model: 'gpt-image-2', prompt: 'a cat', n: 2, stream: true, partial_images: 2 })
    expect(openaiImage(server()).forwardedUsage?.(undefined, { model: 'm', prompt: '', n: 2 })).toEqual({
      meters: { images: 2 },
      source: 'counted',
    })
  })

  it('show themselves unfinished to a caller who watches', async () => {
    const event = (type: string, more: object) =>
      `event: ${type}\ndata: ${JSON.stringify({ type, b64_json: PNG, ...more })}\n\n`
    stub.answer = sse(
      event('image_generation.partial_image', { partial_image_index: 0 }) +
        event('image_generation.partial_image', { partial_image_index: 1 }) +
        event('image_generation.completed', { created_at: 5, size: '1024x1024', usage: imageUsage }),
      50,
    )
    const seen: number[] = []
    const watching = call('gpt-image-2', { partial: (image, index) => image.type === 'bytes' && seen.push(index) })
    const progress = await openaiImage(server()).start(
      { model: 'm', prompt: 'a cat', n: 1, partial_images: 2 },
      watching,
    )
    expect(seen).toEqual([0, 1])
    expect(sentJson()).toMatchObject({ stream: true, partial_images: 2 })
    expect(progress).toMatchObject({
      usage: { meters: { output_image_tokens: 4160 } },
      output: { answer: { created: 5, usage: imageUsage } },
    })
  })

  it('may come as addresses, and refuse in the provider’s words', async () => {
    stub.answer = json({ data: [{ url: 'https://x.test/a.png', revised_prompt: 'A cat.' }] })
    const image = openaiImage(server())
    const request = { model: 'm', prompt: 'a cat', n: 1 }
    const asset = { type: 'url', url: 'https://x.test/a.png' }
    expect(output(await image.start(request, call('flux')))).toMatchObject({
      images: [{ image: asset, revised_prompt: 'A cat.' }],
    })
    const refusal = { message: 'Your request was rejected by the safety system.', code: 'moderation_blocked' }
    stub.answer = json({ error: refusal }, 400)
    const refused = { kind: 'content_policy', message: refusal.message }
    await expect(image.start(request, call('m'))).rejects.toMatchObject(refused)
    await expect(image.forward?.(request, call('m'))).rejects.toMatchObject(refused)
  })

  it.each([
    ['gpt-image-1-mini', '1024x1024', 'low', 272],
    ['gpt-image-1.5', '1024x1536', 'high', 6240],
    ['gpt-image-1', 'auto', 'auto', 6240],
    // The vendor's own calculator, as published by its users in 2026-06.
    ['gpt-image-2', '1024x1024', 'high', 7024],
    ['gpt-image-2', '1536x1024', 'high', 5488],
    ['gpt-image-2', '3584x2048', 'high', 12329],
    ['gpt-image-2-2026-04-21', '1024x1024', 'medium', 1756],
    ['gpt-image-2', '1024x1024', 'low', 196],
  ])('%s at %s and %s are %i tokens', (model, size, quality, tokens) => {
    expect(outputImageTokens(model, size, quality)).toBeGreaterThanOrEqual(tokens)
    expect(outputImageTokens(model, size, quality)).toBeLessThanOrEqual(tokens + 1)
  })

  it('are bounded for auto by the largest', () => {
    expect(outputImageTokens('gpt-image-2')).toBeGreaterThanOrEqual(
      outputImageTokens('gpt-image-2', '3840x2160', 'high'),
    )
    expect(readImageUsage({ output_tokens: -1 }, 1).source).toBe('counted')
  })
})

describe('video', () => {
  it('is submitted, polled and downloaded with our key', async () => {
    stub.answer = videoServer()
    const video = openaiVideo(server())
    const request = { model: 'm', prompt: 'waves', seconds: 4, size: '1280x720', first_frame: png }
    const started = await video.start(request, call('sora-2'))
    const form = await sentForm()
    expect([form.get('seconds'), form.get('size'), form.get('model')]).toEqual(['4', '1280x720', 'sora-2'])
    expect((form.get('input_reference') as File).type).toBe('image/png')
    expect(started).toEqual({ status: 'pending', ref: { id: 'video_1', seconds: 4 }, percent: 40, poll_after_ms: 1500 })
    expect(await video.poll?.({ id: 'video_1', seconds: 4 }, call('sora-2'))).toMatchObject({
      status: 'pending',
      percent: 80,
    })
    const progress = await video.poll?.({ id: 'video_1', seconds: 4 }, call('sora-2'))
    expect(progress).toMatchObject({
      status: 'done',
      output: { video: { type: 'bytes', data: new Uint8Array(Buffer.from('film')), media_type: 'video/mp4' } },
      usage: { meters: { video_seconds: 4, videos: 1 }, attributes: { size: '720x1280' }, source: 'reported' },
    })
    // The stub answers with the film whatever is asked for, as servers do that have no stills.
    const fetched = stub.seen.filter(({ path }) => path.includes('/content'))
    expect(fetched.map(({ path }) => path.slice('/v1/videos/video_1/content'.length)).sort()).toEqual([
      '',
      '?variant=spritesheet',
      '?variant=thumbnail',
    ])
    expect(fetched.every(({ headers }) => headers.authorization === 'Bearer sk-hush')).toBe(true)
    expect(progress).not.toMatchObject({ output: { thumbnail: expect.anything() } })
  })

  it('that fails says why only where the caller is at fault', async () => {
    const video = openaiVideo(server())
    const failing = (code: string) => json({ id: 'v', status: 'failed', error: { code, message: `words of ${code}` } })
    stub.answer = failing('moderation_blocked')
    expect(await video.poll?.({ id: 'v', seconds: 4 }, call('m'))).toMatchObject({
      status: 'failed',
      error: { kind: 'content_policy', message: 'words of moderation_blocked' },
    })
    stub.answer = failing('server_crash')
    expect(await video.poll?.({ id: 'v', seconds: 4 }, call('m'))).toMatchObject({
      status: 'failed',
      error: { kind: 'unavailable', message: 'Acme could not make the video.' },
    })
  })
})

describe('speech', () => {
  const request = { model: 'm', input: 'Hällo', voice: 'alloy', format: 'wav', speed: 1.5, instructions: 'softly' }

  it('is the very bytes, its usage counted and said to be so', async () => {
    stub.answer = (response) =>
      response.writeHead(200, { 'content-type': 'audio/wav' }).end(Buffer.from([82, 73, 70, 70, 0, 255]))
    const progress = await openaiSpeech(server()).start(request, call('tts-1'))
    expect(sentJson()).toEqual({
      model: 'tts-1',
      input: 'Hällo',
      voice: 'alloy',
      response_format: 'wav',
      speed: 1.5,
      instructions: 'softly',
    })
    expect(output(progress).audio).toMatchObject({
      data: Buffer.from([82, 73, 70, 70, 0, 255]),
      media_type: 'audio/wav',
    })
    expect(progress).toMatchObject({ usage: { meters: { characters: 5 }, source: 'counted' } })
  })

  it('of models billed by token is streamed, because only the stream tells the usage', async () => {
    const piece = (text: string) =>
      `data: ${JSON.stringify({ type: 'speech.audio.delta', audio: Buffer.from(text).toString('base64') })}\n\n`
    const usage = { input_tokens: 14, output_tokens: 101, total_tokens: 115 }
    stub.answer = sse(
      `${piece('RI')}${piece('FF')}data: ${JSON.stringify({ type: 'speech.audio.done', usage })}\n\n`,
      20,
    )
    const progress = await openaiSpeech(server()).start(request, call('gpt-4o-mini-tts'))
    expect(sentJson().stream_format).toBe('sse')
    expect(output(progress).audio).toMatchObject({ data: Buffer.from('RIFF'), media_type: 'audio/wav' })
    expect(progress).toMatchObject({
      usage: { meters: { characters: 5, input_tokens: 14, output_audio_tokens: 101 }, source: 'reported' },
    })
  })
})

describe('transcription', () => {
  const audio = { type: 'bytes' as const, data: Buffer.from('RIFF'), media_type: 'audio/wav', filename: 'talk.wav' }
  const request = {
    model: 'm',
    audio,
    seconds: 36.7,
    task: 'transcribe' as const,
    format: 'json',
    extra: { include: ['logprobs'], stream: false },
  }

  it('keeps the answer as it came and reads both kinds of usage', async () => {
    const verbose = {
      task: 'transcribe',
      language: 'english',
      duration: 36.7,
      text: 'Hi.',
      segments: [{ id: 0, start: 0, end: 1, text: 'Hi.', tokens: [1] }],
      usage: { type: 'duration', seconds: 37 },
    }
    stub.answer = json(verbose)
    const progress = await openaiTranscription(server()).start(
      { ...request, format: 'verbose_json', language: 'en' },
      call('whisper-1'),
    )
    const form = await sentForm()
    expect((form.get('file') as File).name).toBe('talk.wav')
    expect([form.get('model'), form.get('response_format'), form.get('language'), form.getAll('include[]')]).toEqual([
      'whisper-1',
      'verbose_json',
      'en',
      ['logprobs'],
    ])
    expect(form.has('stream')).toBe(false)
    expect(output(progress)).toEqual({
      text: 'Hi.',
      language: 'english',
      seconds: 36.7,
      segments: [{ start: 0, end: 1, text: 'Hi.' }],
      answer: { media_type: 'application/json', body: JSON.stringify(verbose) },
    })
    expect(progress).toMatchObject({ usage: { meters: { audio_seconds: 37 }, source: 'reported' } })
    const tokens = {
      type: 'tokens',
      input_tokens: 30,
      input_token_details: { audio_tokens: 25, text_tokens: 5 },
      output_tokens: 7,
    }
    stub.answer = json({ text: 'Hi.', usage: tokens })
    expect(await openaiTranscription(server()).start(request, call('gpt-4o-transcribe'))).toMatchObject({
      usage: { meters: { input_tokens: 5, input_audio_tokens: 25, output_tokens: 7 } },
    })
  })

  it('gives subtitles as they are, and their words', async () => {
    const srt = '1\n00:00:00,000 --> 00:00:01,000\nHello\n\n2\n00:00:01,000 --> 00:00:02,000\nthere.\n\n'
    stub.answer = (response) => response.writeHead(200, { 'content-type': 'text/plain; charset=utf-8' }).end(srt)
    const progress = await openaiTranscription(server()).start({ ...request, format: 'srt' }, call('whisper-1'))
    expect(output(progress)).toEqual({
      text: 'Hello there.',
      answer: { media_type: 'text/plain; charset=utf-8', body: srt },
    })
    expect(progress).toMatchObject({ usage: { meters: { audio_seconds: 36.7 }, source: 'counted' } })
  })

  it('translates at the address for translations', async () => {
    stub.answer = json({ text: 'Hello.' })
    await openaiTranscription(server()).start({ ...request, task: 'translate', extra: {} }, call('whisper-1'))
    expect(stub.seen[0]?.path).toBe('/v1/audio/translations')
  })
})

describe('embeddings and moderation', () => {
  it('keep vectors as they were sent, base64 too', async () => {
    const answer = {
      object: 'list',
      model: 'm',
      data: [
        { index: 1, embedding: 'AACAPw==' },
        { index: 0, embedding: 'AAAAQA==' },
      ],
      usage: { prompt_tokens: 2, total_tokens: 2 },
    }
    stub.answer = json(answer)
    const progress = await openaiEmbedding(server()).start(
      { model: 'm', input: ['a', 'b'], encoding_format: 'base64', dimensions: 1 },
      call('text-embedding-3-small'),
    )
    expect(sentJson()).toEqual({
      model: 'text-embedding-3-small',
      input: ['a', 'b'],
      dimensions: 1,
      encoding_format: 'base64',
    })
    expect(output(progress)).toEqual({ embeddings: ['AAAAQA==', 'AACAPw=='], answer })
    expect(progress).toMatchObject({ usage: { meters: { input_tokens: 2 }, source: 'reported' } })
  })

  it('refuse an answer with fewer vectors than inputs', async () => {
    stub.answer = json({ data: [] })
    await expect(
      openaiEmbedding(server()).start({ model: 'm', input: ['a'], encoding_format: 'float' }, call('m')),
    ).rejects.toMatchObject({ kind: 'bad_response' })
  })

  it('keep the verdict whole', async () => {
    const answer = { id: 'modr-1', model: 'omni', results: [{ flagged: true, categories: { 'self-harm': true } }] }
    stub.answer = json(answer)
    expect(output(await openaiModeration(server()).start({ model: 'm', input: ['x'] }, call('omni')))).toEqual({
      answer,
    })
  })
})
