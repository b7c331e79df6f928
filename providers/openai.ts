// OpenAI: its own models over its own API. https://platform.openai.com/docs/api-reference (2026-11-21)
import { z } from 'zod'
import { defineProvider } from '../src/contract.ts'
import { openaiCompatible } from '../src/protocols/openai-compatible.ts'

export default defineProvider({
  contract: 1,
  name: 'OpenAI',
  docs: 'https://platform.openai.com/docs/pricing',
  settings: z.object({
    api_key: z.string().min(1),
    base_url: z.url().default('https://api.openai.com/v1'),
    organization: z.string().optional(),
    project: z.string().optional(),
  }),
  environment: { organization: 'OPENAI_ORG_ID', project: 'OPENAI_PROJECT_ID' },
  connect: ({ api_key, base_url, organization, project }, { fetch }) => {
    const headers = {
      ...(organization ? { 'openai-organization': organization } : {}),
      ...(project ? { 'openai-project': project } : {}),
    }
    const server = { provider: 'OpenAI', base_url, api_key, fetch, headers, quirks: { developer_role: true as const } }
    return openaiCompatible(server, ['chat', 'image', 'video', 'speech', 'transcription', 'embedding', 'moderation'])
  },
})
