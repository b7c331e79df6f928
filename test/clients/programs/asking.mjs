// What every program asks and expects: two cities' weather by a tool, whichever model answers.
import { strict as assert } from 'node:assert'

const { SWITCHYARD_URL = '', SWITCHYARD_KEY = '', MODELS = '' } = process.env
export const url = SWITCHYARD_URL
export const key = SWITCHYARD_KEY
export const format = process.env.FORMAT ?? ''

export const prompt =
  'How is the weather in Oslo and in Rome? [[tool:get_weather {"city":"Oslo"}]] [[tool:get_weather {"city":"Rome"}]]'
export const description = 'The weather in a city'
export const schema = {
  type: 'object',
  properties: { city: { type: 'string', description: 'Its name' } },
  required: ['city'],
  additionalProperties: false,
}
export const weatherIn = (city) => `${city}: rain, 7 degrees`

/** The last words quote the tool's last answer. */
export function expectWeather(text, cities) {
  assert.deepEqual(cities, ['Oslo', 'Rome'], 'both cities were looked up, each once')
  assert.match(text, /Rome: rain, 7 degrees/)
}

export const models = MODELS.split(',')

/** Every conversation goes on with every model, as where a person switches; what one thought means nothing to another. */
export async function switchModels(conversations, ask) {
  await forEachModel(async (to) => {
    for (const [from, conversation] of conversations) {
      const text = await ask(to, conversation, 'Thank you. What was it?').catch((error) => {
        throw new Error(`after ${from}`, { cause: error })
      })
      assert.ok(text.length > 0, `after ${from}`)
    }
  })
}

/** Runs the same for every model; says which failed, and all that did. */
export async function forEachModel(ask) {
  const failed = []
  for (const model of models) {
    try {
      await ask(model)
    } catch (error) {
      failed.push(model)
      console.error(`${model}:`, error)
    }
  }
  assert.deepEqual(failed, [])
}
