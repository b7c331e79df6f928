// Anthropic's official SDK: a tool loop, whole and streamed by its own helper, with thinking where the model has it; and
// the count of tokens.
import { strict as assert } from 'node:assert'
import Anthropic from '@anthropic-ai/sdk'
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

const client = new Anthropic({ baseURL: url, apiKey: key, maxRetries: 0 })
const tools = [{ name: 'get_weather', description, input_schema: schema }]

async function answer(request, stream) {
  return stream ? client.messages.stream(request).finalMessage() : client.messages.create(request)
}

const conversations = new Map()
const thinking = (model) => (model.startsWith('sandbox/') ? {} : { thinking: { type: 'enabled', budget_tokens: 1024 } })

await forEachModel(async (model) => {
  for (const stream of [false, true]) {
    const cities = []
    const messages = [{ role: 'user', content: prompt }]
    const request = { model, max_tokens: 2048, system: 'Be brief.', tools, messages, ...thinking(model) }
    let message = await answer(request, stream)
    for (let turn = 0; turn < 4 && message.stop_reason === 'tool_use'; turn++) {
      messages.push({ role: 'assistant', content: message.content })
      const results = message.content
        .filter(({ type }) => type === 'tool_use')
        .map(({ id, input }) => {
          cities.push(input.city)
          return { type: 'tool_result', tool_use_id: id, content: weatherIn(input.city) }
        })
      messages.push({ role: 'user', content: results })
      message = await answer(request, stream)
    }
    assert.equal(message.stop_reason, 'end_turn')
    conversations.set(model, [...messages, { role: 'assistant', content: message.content }])
    assert.ok(message.usage.output_tokens > 0)
    expectWeather(message.content.map(({ text }) => text ?? '').join(''), cities)
  }
  const { input_tokens } = await client.messages.countTokens({ model, messages: [{ role: 'user', content: 'Hello' }] })
  assert.ok(input_tokens > 0)
})

await switchModels(conversations, async (model, conversation, question) => {
  const messages = [...conversation, { role: 'user', content: question }]
  const message = await client.messages.create({ model, max_tokens: 2048, tools, messages, ...thinking(model) })
  return message.content.map(({ text }) => text ?? '').join('')
})
