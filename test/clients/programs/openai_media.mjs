// The official OpenAI SDK on everything that is not chat, with the sandbox's models.
import { strict as assert } from 'node:assert'
import OpenAI, { toFile } from 'openai'
import { key, url } from './asking.mjs'

const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: key, maxRetries: 0 })
const bytesOf = async (response) => Buffer.from(await response.arrayBuffer())

const drawn = await client.images.generate({ model: 'sandbox/image', prompt: 'A yard at dawn', size: '256x256' })
const picture = Buffer.from(drawn.data[0].b64_json, 'base64')
assert.equal(picture.subarray(1, 4).toString(), 'PNG')
const image = await toFile(picture, 'yard.png', { type: 'image/png' })
const edited = await client.images.edit({ model: 'sandbox/image', image, prompt: 'With a train', size: '256x256' })
assert.ok(edited.data[0].b64_json.length > 100)

const sound = await bytesOf(
  await client.audio.speech.create({
    model: 'sandbox/speech',
    voice: 'alloy',
    input: 'All aboard',
    response_format: 'wav',
  }),
)
assert.equal(sound.subarray(0, 4).toString(), 'RIFF')
const file = await toFile(sound, 'aboard.wav')
const { text } = await client.audio.transcriptions.create({ model: 'sandbox/transcribe', file })
assert.equal(text, 'All aboard')

const { data } = await client.embeddings.create({ model: 'sandbox/embed', input: ['rails', 'points'] })
assert.equal(data.length, 2)

let video = await client.videos.create({ model: 'sandbox/video', prompt: 'A train', seconds: '4', size: '1280x720' })
while (['queued', 'in_progress'].includes(video.status)) {
  await new Promise((resolve) => setTimeout(resolve, 500))
  video = await client.videos.retrieve(video.id)
}
assert.equal(video.status, 'completed')
const film = await bytesOf(await client.videos.downloadContent(video.id))
assert.equal(film.subarray(4, 8).toString(), 'ftyp')

const names = []
for await (const model of client.models.list()) names.push(model.id)
assert.ok(names.includes('sandbox/chat'))
