// The SDKs: one program of plain JavaScript a client, as a developer would write it, run over formats and models.
import { join } from 'node:path'
import type { Case } from './case.ts'
import { CLIENTS_DIR } from './install.ts'
import { runClient } from './run.ts'

interface Program {
  client: string
  package: string
  format: string
  file: string
  what: string
  /** How many jobs each model is good for, or all together where there are none. */
  jobs: number
  models?: string[]
}

/** One of every provider's own format, and the one that needs no format. */
const MODELS = ['sandbox/chat', 'openai/gpt-5.5', 'anthropic/claude-sonnet-4-5', 'google/gemini-3.6-flash']

const programCase = ({ file, what, jobs, models = [], ...rest }: Program): Case => ({
  ...rest,
  what: models.length > 0 ? `${what} on ${models.map((model) => model.split('/')[0]).join(', ')}` : what,
  jobs: jobs * Math.max(1, models.length),
  run: async (bench) => {
    await runClient(bench, {
      program: process.execPath,
      arguments: [join(CLIENTS_DIR, 'programs', file)],
      environment: {
        SWITCHYARD_URL: bench.router.url,
        SWITCHYARD_KEY: bench.key,
        MODELS: models.join(','),
        FORMAT: rest.format,
        // The AI SDK tells of its warnings in a banner.
        AI_SDK_LOG_WARNINGS: 'false',
      },
    })
  },
})

const official = (name: string, format: string, file: string, what: string): Program => ({
  client: name,
  package: name,
  format,
  file,
  what,
  jobs: 4,
  models: MODELS,
})
const loop = 'tool loops, whole and streamed'

const PROGRAMS: Program[] = [
  official('openai', 'chat', 'openai_chat.mjs', 'its tool runner, whole and streamed'),
  official('openai', 'responses', 'openai_responses.mjs', `${loop}, a change of model`),
  official('@anthropic-ai/sdk', 'messages', 'anthropic.mjs', `${loop}, a change of model, count_tokens`),
  official('@google/genai', 'gemini', 'genai.mjs', `${loop}, a change of model`),
  {
    ...official('openai', 'media', 'openai_media.mjs', 'images, speech, transcription, embeddings, video, models'),
    models: [],
    jobs: 6,
  },
  ...['openai-compatible', 'openai', 'openai', 'anthropic', 'google'].map((sdk, at): Program => {
    const format = ['openai-compatible', 'chat', 'responses', 'messages', 'gemini'][at] ?? ''
    return {
      ...official('Vercel AI SDK', format, 'ai.mjs', `generateText, streamText with tools`),
      package: `@ai-sdk/${sdk}`,
    }
  }),
  {
    ...official(
      'Vercel AI SDK',
      'media',
      'ai_media.mjs',
      'generateImage, generateSpeech, transcribe, embedMany, Output',
    ),
    package: 'ai',
    models: [],
  },
  ...['openai', 'openai', 'anthropic', 'google-genai'].map((name, at): Program => {
    const format = ['chat', 'responses', 'messages', 'gemini'][at] ?? ''
    return {
      ...official('LangChain', format, 'langchain.mjs', 'invoke, stream, bindTools'),
      package: `@langchain/${name}`,
    }
  }),
]

export const PROGRAM_CASES: Case[] = PROGRAMS.map(programCase)
