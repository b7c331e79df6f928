// Google's official SDK: a tool loop, whole and streamed.
import { strict as assert } from 'node:assert'
import { GoogleGenAI } from '@google/genai'
import { description, expectWeather, forEachModel, key, prompt, schema, url, weatherIn } from './asking.mjs'

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

await forEachModel(async (model) => {
  for (const stream of [false, true]) {
    const cities = []
    const contents = [{ role: 'user', parts: [{ text: prompt }] }]
    const request = { model, contents, config: { tools: [{ functionDeclarations }], systemInstruction: 'Be brief.' } }
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
    expectWeather(parts.map(({ text }) => text ?? '').join(''), cities)
  }
})
