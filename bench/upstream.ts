// A stand-in for a provider, for the bench alone: one chat answer, one paced stream, one large picture. It never looks at keys.
//   node bench/upstream.ts PORT          POST /settings {"chunks":200,"gap_ms":0} changes the stream while it runs
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { buffer } from 'node:stream/consumers'

const settings = { chunks: 200, gap_ms: 0 }

const usage = {
  prompt_tokens: 57,
  completion_tokens: 180,
  total_tokens: 237,
  prompt_tokens_details: { cached_tokens: 0, audio_tokens: 0 },
  completion_tokens_details: { reasoning_tokens: 0, audio_tokens: 0 },
}
const about = { id: 'chatcmpl-bench-0123456789abcdef', created: 1_795_000_000, model: 'gpt-4o-mini-2024-07-18' }
const sentence = 'A heron stands in the shallow water and waits for the river to bring it breakfast. '

const chatAnswer = Buffer.from(
  JSON.stringify({
    ...about,
    object: 'chat.completion',
    choices: [
      {
        index: 0,
        message: { role: 'assistant', content: sentence.repeat(7), refusal: null, annotations: [] },
        logprobs: null,
        finish_reason: 'stop',
      },
    ],
    usage,
    service_tier: 'default',
    system_fingerprint: 'fp_bench',
  }),
)
const imageAnswer = Buffer.from(
  JSON.stringify({
    created: about.created,
    data: [{ b64_json: Buffer.alloc(1_125_000, 0x5a).toString('base64') }],
    usage: { input_tokens: 10, output_tokens: 4160, total_tokens: 4170 },
  }),
)

const event = (fields: object) =>
  Buffer.from(`data: ${JSON.stringify({ ...about, object: 'chat.completion.chunk', ...fields })}\n\n`)
const choice = (delta: object, finish_reason: string | null) => ({
  choices: [{ index: 0, delta, logprobs: null, finish_reason }],
})
const chunkEvent = event(choice({ content: ' heron' }, null))
const lastEvents = Buffer.concat([
  event(choice({}, 'stop')),
  event({ choices: [], usage }),
  Buffer.from('data: [DONE]\n\n'),
])

function answerJson(response: ServerResponse, body: Buffer) {
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length })
  response.end(body)
}

function answerStream(response: ServerResponse) {
  response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache' })
  const { chunks, gap_ms } = settings
  let sent = 0
  const step = () => {
    if (response.destroyed) return
    if (sent++ === chunks) {
      response.end(lastEvents)
      return
    }
    const roomLeft = response.write(chunkEvent)
    if (gap_ms > 0) setTimeout(step, gap_ms)
    else if (roomLeft) setImmediate(step)
    else response.once('drain', step)
  }
  step()
}

async function answer(request: IncomingMessage, response: ServerResponse) {
  const body = await buffer(request)
  if (request.url === '/settings') {
    Object.assign(settings, JSON.parse(body.toString()))
    answerJson(response, Buffer.from(JSON.stringify(settings)))
  } else if (request.url?.includes('/images/')) answerJson(response, imageAnswer)
  else if (/"stream":\s*true/.test(body.toString('latin1'))) answerStream(response)
  else answerJson(response, chatAnswer)
}

const server = createServer((request, response) => {
  answer(request, response).catch((error: Error) => response.destroy(error))
})
server.keepAliveTimeout = 120_000
server.listen({ port: Number(process.argv[2]), host: '127.0.0.1', backlog: 4096 })
