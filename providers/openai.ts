// OpenAI: its own models over its own API. https://platform.openai.com/docs/api-reference (2026-11-21)
import { z } from 'zod'
import { defineProvider, type Operation } from '../src/contract.ts'
import { openaiCompatible } from '../src/protocols/openai-compatible.ts'
import { gptImage } from '../src/protocols/openai-media/gpt_image.ts'
import { openaiResponses } from '../src/protocols/openai-responses/provider.ts'

/** Served by the Responses API alone, always or when there are tools (OpenAI's guides, 2026-10-03). */
const ELSEWHERE = {
  always: /^(?:o\d|gpt-\d+(?:\.\d+)?)-(?:pro|codex|deep-research)|-deep-research/,
  with_tools: /^gpt-6(?:\.\d+)?-/,
}

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
  // The sizes of the price file, so that ratios are made into one of them.
  options: ({ limits }) => z.strictObject({}).transform(() => ({ sizes: sizesIn(limits) })),
  connect: ({ api_key, base_url, organization, project }, { fetch }) => {
    const headers = {
      ...(organization ? { 'openai-organization': organization } : {}),
      ...(project ? { 'openai-project': project } : {}),
    }
    const quirks = { developer_role: true as const, elsewhere: ELSEWHERE }
    const server = { provider: 'OpenAI', base_url, api_key, fetch, headers, quirks }
    const operations: Operation[] = ['chat', 'image', 'video', 'speech', 'transcription', 'embedding', 'moderation']
    const connection = openaiCompatible(server, operations)
    return {
      ...connection,
      ...(connection.image && { image: gptImage(connection.image) }),
      chat: [...(connection.chat ?? []), openaiResponses({ ...server, counts_input: true })],
    }
  },
})

const sizesIn = ({ size }: { readonly size?: unknown }): string[] => (Array.isArray(size) ? size.map(String) : [])
