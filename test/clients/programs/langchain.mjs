// LangChain, over the format that FORMAT names: a tool loop with bindTools, whole and streamed.
import { strict as assert } from 'node:assert'
import { ChatAnthropic } from '@langchain/anthropic'
import { HumanMessage, ToolMessage } from '@langchain/core/messages'
import { tool } from '@langchain/core/tools'
import { ChatGoogleGenerativeAI } from '@langchain/google-genai'
import { ChatOpenAI, OpenAIEmbeddings } from '@langchain/openai'
import { description, expectWeather, forEachModel, format, key, prompt, schema, url, weatherIn } from './asking.mjs'

const configuration = { baseURL: `${url}/v1` }
const CLIENTS = {
  chat: (model) => new ChatOpenAI({ model, apiKey: key, configuration, maxRetries: 0, streamUsage: true }),
  responses: (model) => new ChatOpenAI({ model, apiKey: key, configuration, maxRetries: 0, useResponsesApi: true }),
  messages: (model) => new ChatAnthropic({ model, apiKey: key, anthropicApiUrl: url, maxTokens: 2048, maxRetries: 0 }),
  gemini: (model) => new ChatGoogleGenerativeAI({ model, apiKey: key, baseUrl: url, maxRetries: 0 }),
}

async function answer(model, messages, stream) {
  if (!stream) return model.invoke(messages)
  let whole
  for await (const chunk of await model.stream(messages)) whole = whole === undefined ? chunk : whole.concat(chunk)
  return whole
}

await forEachModel(async (name) => {
  for (const stream of [false, true]) {
    const cities = []
    const get_weather = tool(
      ({ city }) => {
        cities.push(city)
        return weatherIn(city)
      },
      { name: 'get_weather', description, schema },
    )
    const model = CLIENTS[format](name).bindTools([get_weather])
    const messages = [new HumanMessage(prompt)]
    let message = await answer(model, messages, stream)
    for (let turn = 0; turn < 4 && message.tool_calls.length > 0; turn++) {
      messages.push(message)
      for (const call of message.tool_calls) {
        const { content } = await get_weather.invoke(call)
        messages.push(new ToolMessage({ content, tool_call_id: call.id, name: call.name }))
      }
      message = await answer(model, messages, stream)
    }
    expectWeather(message.text, cities)
    assert.ok(message.usage_metadata.output_tokens > 0)
  }
})

if (format === 'chat') {
  const vectors = new OpenAIEmbeddings({ model: 'sandbox/embed', apiKey: key, configuration })
  assert.equal((await vectors.embedDocuments(['rails', 'points'])).length, 2)
}
