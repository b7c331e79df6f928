// Google's official SDK: a tool loop, whole and streamed.
import { strict as assert } from 'node:assert'
import { GoogleGenAI } from '@google/genai'
import {
  description,
  expectWeather,
  forEachModel,
  key,
  prompt,
  schema,
  switchModels,
  url,
  weatherIn,
} from './asking.mjs'

const client = new GoogleGenAI({ apiKey: key, httpOptions: { baseUrl: url } })
const functionDeclarations = [{ name: 'get_weather', description, parametersJsonSchema: schema }]

/** The parts of an answer and what it used. */
async function answer(request, stream) {
  const chunks = []
  if (stream) for await (const chunk of await client.models.generateContentStream(request)) chunks.push(chunk)
  else chunks.push(await client.models.generateContent(request))
  const parts = chunks.flatMap((chunk) => chunk.candidates?.[0]?.content?.parts ?? [])
  assert.equal(chunks.at(-1).candidates?.[0]?.finishReason, 'STOP')
  assert.ok(chunks.at(-1).usageMetadata.candidatesTokenCount > 0)
  return parts
}

const conversations = new Map()
const config = (model) => ({
  tools: [{ functionDeclarations }],
  systemInstruction: 'Be brief.',
  ...(model.startsWith('sandbox/') ? {} : { thinkingConfig: { includeThoughts: true, thinkingBudget: 2048 } }),
})
const textOf = (parts) => parts.map(({ text, thought }) => (thought ? '' : (text ?? ''))).join('')

await forEachModel(async (model) => {
  for (const stream of [false, true]) {
    const cities = []
    const contents = [{ role: 'user', parts: [{ text: prompt }] }]
    const request = { model, contents, config: config(model) }
    let parts = await answer(request, stream)
    for (let turn = 0; turn < 4 && parts.some(({ functionCall }) => functionCall); turn++) {
      contents.push({ role: 'model', parts })
      const results = parts
        .filter(({ functionCall }) => functionCall)
        .map(({ functionCall: { id, name, args } }) => {
          cities.push(args.city)
          return { functionResponse: { id, name, response: { output: weatherIn(args.city) } } }
        })
      contents.push({ role: 'user', parts: results })
      parts = await answer(request, stream)
    }
    // As gemini-cli does: what a model thought is not kept.
    const kept = [...contents, { role: 'model', parts }].map(({ role, parts }) => ({
      role,
      parts: parts.filter(({ thought }) => !thought),
    }))
    conversations.set(model, kept)
    expectWeather(textOf(parts), cities)
  }
})

await switchModels(conversations, async (model, conversation, question) => {
  const contents = [...conversation, { role: 'user', parts: [{ text: question }] }]
  return textOf(await answer({ model, contents, config: config(model) }, true))
})
