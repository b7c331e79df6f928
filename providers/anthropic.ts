// Anthropic: its own models over its own API. https://platform.claude.com/docs/en/api/messages (2026-11-21)
import { z } from 'zod'
import { defineProvider } from '../src/contract.ts'
import { anthropicMessages } from '../src/protocols/anthropic-messages/provider.ts'

export default defineProvider({
  contract: 1,
  name: 'Anthropic',
  docs: 'https://platform.claude.com/docs/en/about-claude/pricing',
  settings: z.object({
    api_key: z.string().min(1),
    base_url: z.url().default('https://api.anthropic.com'),
  }),
  connect: ({ api_key, base_url }, { fetch }) => ({
    chat: [anthropicMessages({ provider: 'Anthropic', base_url, api_key, fetch })],
  }),
})
