// The sandbox: a provider that needs no key and no network, answers deterministically and makes real files, so that
// everything the router does can be tried. Orders in the prompt (orders.ts) bring about every failure.
import { z } from 'zod'
import { defineProvider } from '../../src/contract.ts'
import { sandboxChat } from './chat.ts'
import { createClips } from './clips.ts'
import { sandboxEmbedding } from './embedding.ts'
import { sandboxImage } from './image.ts'
import { rememberFirstTimes } from './orders.ts'
import { sandboxSpeech } from './speech.ts'
import { sandboxTranscription } from './transcription.ts'
import { sandboxVideo } from './video.ts'

export default defineProvider({
  contract: 1,
  name: 'Sandbox',
  docs: 'docs/sandbox.md',
  settings: z.object({}),
  connect: () => {
    const firstTime = rememberFirstTimes()
    return {
      chat: [sandboxChat(firstTime)],
      image: sandboxImage(firstTime),
      video: sandboxVideo(firstTime, createClips()),
      speech: sandboxSpeech(firstTime),
      transcription: sandboxTranscription(firstTime),
      embedding: sandboxEmbedding(firstTime),
    }
  },
})
