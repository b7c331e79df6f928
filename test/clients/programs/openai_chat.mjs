// The official OpenAI SDK on chat completions: its own tool runner, whole and streamed, and a plain stream.
import { strict as assert } from 'node:assert'
import OpenAI from 'openai'
import { description, expectWeather, forEachModel, key, prompt, schema, url, weatherIn } from './asking.mjs'

const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: key, maxRetries: 0 })

await forEachModel(async (model) => {
  for (const stream of [false, true]) {
    const cities = []
    const get_weather = ({ city }) => {
      cities.push(city)
      return weatherIn(city)
    }
    const tool = { name: 'get_weather', description, parameters: schema, parse: JSON.parse, function: get_weather }
    const runner = client.chat.completions.runTools({
      model,
      messages: [{ role: 'user', content: prompt }],
      tools: [{ type: 'function', function: tool }],
      ...(stream ? { stream, stream_options: { include_usage: true } } : {}),
    })
    expectWeather(await runner.finalContent(), cities)
    assert.ok((await runner.totalUsage()).completion_tokens > 0)
  }
  let text = ''
  for await (const chunk of await client.chat.completions.create({
    model,
    messages: [{ role: 'user', content: 'Hello' }],
    stream: true,
  }))
    text += chunk.choices[0]?.delta.content ?? ''
  assert.ok(text.length > 0)
})
