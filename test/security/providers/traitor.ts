// A provider for tests whose adapter is faulty: it throws whatever the prompt says, with our secrets in it.
import { z } from 'zod'
import { defineProvider, ProviderError } from '../../../src/contract.ts'

/** Nothing here is an error that an adapter should throw. */
function thrown(prompt: string, api_key: string): unknown {
  switch (prompt) {
    case 'text':
      return `the key is ${api_key}`
    case 'object':
      return { headers: { authorization: `Bearer ${api_key}` }, message: api_key }
    case 'nothing':
      return undefined
    case 'caused':
      return new TypeError('fetch failed', { cause: new Error(`Headers.append: "Bearer ${api_key}" is invalid`) })
    case 'words':
      return new ProviderError('internal', `the key is ${api_key}`)
    default:
      return Object.assign(new Error(`Bearer ${api_key} at https://inside.example/?key=${api_key}`), {
        config: { headers: { 'x-api-key': api_key } },
        status: 401,
        expose: true,
      })
  }
}

const promptOf = (words: string) => words.split(' ').at(-1) ?? ''

export default defineProvider({
  contract: 1,
  name: 'Traitor',
  docs: 'test/security',
  settings: z.object({ api_key: z.string() }),
  connect: ({ api_key }) => ({
    chat: [
      {
        async *stream({ messages }) {
          const [part] = messages.at(-1)?.content ?? []
          const words = part?.type === 'text' ? part.text : ''
          if (words.startsWith('late')) yield { type: 'text', choice: 0, text: 'Hello' }
          throw thrown(promptOf(words), api_key)
        },
      },
    ],
    image: {
      start: async ({ prompt }) => {
        throw thrown(promptOf(prompt), api_key)
      },
    },
  }),
})
