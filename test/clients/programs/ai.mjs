// The Vercel AI SDK, over the format that FORMAT names: its own tool loop, whole and streamed.
import { strict as assert } from 'node:assert'
import { createAnthropic } from '@ai-sdk/anthropic'
import { createGoogle } from '@ai-sdk/google'
import { createOpenAI } from '@ai-sdk/openai'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { generateText, jsonSchema, stepCountIs, streamText, tool } from 'ai'
import { description, expectWeather, forEachModel, format, key, prompt, schema, url, weatherIn } from './asking.mjs'

const baseURL = `${url}/v1`
const PROVIDERS = {
  'openai-compatible': () => createOpenAICompatible({ name: 'switchyard', baseURL, apiKey: key, includeUsage: true }),
  chat: () => createOpenAI({ baseURL, apiKey: key }).chat,
  responses: () => createOpenAI({ baseURL, apiKey: key }),
  messages: () => createAnthropic({ baseURL, apiKey: key }),
  gemini: () => createGoogle({ baseURL: `${url}/v1beta`, apiKey: key }),
}
const provider = PROVIDERS[format]()

await forEachModel(async (model) => {
  for (const run of [generateText, streamText]) {
    const cities = []
    const get_weather = tool({
      description,
      inputSchema: jsonSchema(schema),
      execute: async ({ city }) => {
        cities.push(city)
        return weatherIn(city)
      },
    })
    const result = await run({
      model: provider(model),
      prompt,
      tools: { get_weather },
      stopWhen: stepCountIs(5),
      maxRetries: 0,
      onError: ({ error }) => console.error(error),
    })
    expectWeather(await result.text, cities)
    assert.equal(await result.finishReason, 'stop')
    assert.ok((await result.usage).outputTokens > 0, JSON.stringify(await result.usage))
  }
})
