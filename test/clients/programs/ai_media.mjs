// The Vercel AI SDK on everything that is not a conversation, with the sandbox's models.
import { strict as assert } from 'node:assert'
import { createOpenAI } from '@ai-sdk/openai'
import { embedMany, generateImage, generateSpeech, generateText, jsonSchema, Output, transcribe } from 'ai'
import { key, url } from './asking.mjs'

const provider = createOpenAI({ baseURL: `${url}/v1`, apiKey: key })

const { image } = await generateImage({ model: provider.image('sandbox/image'), prompt: 'A yard', size: '256x256' })
assert.equal(image.mediaType, 'image/png')

const { audio } = await generateSpeech({ model: provider.speech('sandbox/speech'), text: 'All aboard', voice: 'alloy' })
assert.ok(audio.uint8Array.length > 1000)
const { text } = await transcribe({ model: provider.transcription('sandbox/transcribe'), audio: audio.uint8Array })
assert.equal(text, 'All aboard')

const { embeddings } = await embedMany({ model: provider.embedding('sandbox/embed'), values: ['rails', 'points'] })
assert.equal(embeddings.length, 2)

const schema = {
  type: 'object',
  properties: { city: { type: 'string' } },
  required: ['city'],
  additionalProperties: false,
}
const { output } = await generateText({
  model: provider.chat('sandbox/chat'),
  prompt: 'A city',
  output: Output.object({ schema: jsonSchema(schema) }),
})
assert.equal(typeof output.city, 'string')
