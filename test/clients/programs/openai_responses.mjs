// The official OpenAI SDK on responses: a tool loop, whole and streamed by its own helper, with what the model thought
// handed back.
import { strict as assert } from 'node:assert'
import OpenAI from 'openai'
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

const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: key, maxRetries: 0 })
const tools = [{ type: 'function', name: 'get_weather', description, parameters: schema, strict: true }]

async function answer(request, stream) {
  if (!stream) return client.responses.create(request)
  return client.responses.stream(request).finalResponse()
}

const conversations = new Map()
const common = { tools, store: false, include: ['reasoning.encrypted_content'], reasoning: { effort: 'low' } }

await forEachModel(async (model) => {
  for (const stream of [false, true]) {
    const cities = []
    const input = [{ role: 'user', content: prompt }]
    const request = { model, ...common }
    let response = await answer({ ...request, input }, stream)
    for (let turn = 0; turn < 4; turn++) {
      const calls = response.output.filter(({ type }) => type === 'function_call')
      if (calls.length === 0) break
      input.push(...response.output)
      for (const { call_id, arguments: given } of calls) {
        const { city } = JSON.parse(given)
        cities.push(city)
        input.push({ type: 'function_call_output', call_id, output: weatherIn(city) })
      }
      response = await answer({ ...request, input }, stream)
    }
    assert.equal(response.status, 'completed')
    assert.ok(response.usage.output_tokens > 0)
    conversations.set(model, [...input, ...response.output])
    expectWeather(response.output_text, cities)
  }
})

await switchModels(conversations, async (model, conversation, question) => {
  const input = [...conversation, { role: 'user', content: question }]
  return (await client.responses.create({ model, ...common, input })).output_text
})
