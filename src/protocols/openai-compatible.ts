// A server that speaks OpenAI's API, whole or in part, as a Connection: what most vendors and all local servers are.
import type { Connection, Operation } from '../contract.ts'
import { type ChatServer, openaiChat } from './openai-chat/provider.ts'
import { openaiCompletions } from './openai-completions/provider.ts'
import { openaiEmbedding } from './openai-media/embedding.ts'
import { openaiImage } from './openai-media/image.ts'
import { openaiModeration } from './openai-media/moderation.ts'
import { openaiSpeech } from './openai-media/speech.ts'
import { openaiTranscription } from './openai-media/transcription.ts'
import { openaiVideo } from './openai-media/video.ts'

const MAKERS: { [Name in Operation]: (server: ChatServer) => Connection } = {
  chat: (server) => ({
    chat: [openaiChat(server), ...(server.quirks?.completions ? [openaiCompletions(server)] : [])],
  }),
  image: (server) => ({ image: openaiImage(server) }),
  video: (server) => ({ video: openaiVideo(server) }),
  speech: (server) => ({ speech: openaiSpeech(server) }),
  transcription: (server) => ({ transcription: openaiTranscription(server) }),
  embedding: (server) => ({ embedding: openaiEmbedding(server) }),
  moderation: (server) => ({ moderation: openaiModeration(server) }),
}

/** What differs between servers is data: where, as whom, which operations, and the quirks of its chat. */
export function openaiCompatible(server: ChatServer, operations: Operation[] = ['chat']): Connection {
  return Object.assign({}, ...operations.map((operation) => MAKERS[operation](server)))
}
