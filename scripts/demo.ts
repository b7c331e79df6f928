// `npm run demo`: a tour of the running router with the official SDK. Text, picture, speech, transcript, film, and one
// failure on purpose; then what each job cost, and proof that the books are right.
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { parseArgs, styleText } from 'node:util'
import OpenAI, { APIError, toFile } from 'openai'
import { z } from 'zod'

const { values } = parseArgs({
  options: {
    data: { type: 'string', default: process.env.DATA_DIR ?? './data' },
    out: { type: 'string', default: './data/demo' },
  },
})

const FirstRun = z.object({ base_url: z.url(), admin_key: z.string().nullable(), api_key: z.string() })
const Job = z.object({
  id: z.string(),
  operation: z.string(),
  model: z.string(),
  status: z.string(),
  billing: z.object({
    status: z.string(),
    hold_usd: z.string(),
    cost_usd: z.string().nullable(),
    lines: z.array(
      z.object({ meter: z.string(), quantity: z.number(), usd: z.string(), per: z.number(), amount_usd: z.string() }),
    ),
  }),
})

const title = (text: string) => console.log(`\n${styleText('bold', text)}`)

async function firstRun() {
  const path = join(resolve(values.data), 'first-run.json')
  try {
    return FirstRun.parse(JSON.parse(await readFile(path, 'utf8')))
  } catch {
    console.error(`There is no usable ${path}. Start the router first, with npm start, in another terminal.`)
    process.exit(1)
  }
}

const { base_url, admin_key, api_key } = await firstRun()
const client = new OpenAI({ baseURL: base_url, apiKey: api_key, maxRetries: 0 })
const jobs: string[] = []

/** The bytes or parsed body of a call, its job's id noted for the bill. */
async function noted<Result>(call: { withResponse(): Promise<{ data: Result; response: Response }> }): Promise<Result> {
  const { data, response } = await call.withResponse()
  jobs.push(response.headers.get('x-job-id') ?? '')
  return data
}

async function get(path: string, init: RequestInit = {}, key = api_key): Promise<unknown> {
  const response = await fetch(`${base_url.replace(/\/v1$/, '')}${path}`, {
    ...init,
    headers: { authorization: `Bearer ${key}` },
  })
  return response.json()
}

async function text() {
  title('Text, streamed')
  const stream = await noted(
    client.chat.completions.create({
      model: 'sandbox/chat',
      messages: [{ role: 'user', content: 'Say hello to whoever is watching. [[delay:30ms]]' }],
      stream: true,
      stream_options: { include_usage: true },
    }),
  )
  for await (const chunk of stream) process.stdout.write(chunk.choices[0]?.delta.content ?? '')
  console.log()
}

async function picture(folder: string) {
  title('A picture')
  const { data } = await noted(
    client.images.generate({ model: 'sandbox/image', prompt: 'A switchyard at dawn', size: '1024x1024' }),
  )
  await save(folder, 'picture.png', Buffer.from(data?.[0]?.b64_json ?? '', 'base64'))
}

async function speech(folder: string): Promise<Buffer> {
  title('Speech')
  const spoken = await noted(
    client.audio.speech.create({
      model: 'sandbox/speech',
      voice: 'alloy',
      input: 'Every job is charged once, and only if it worked.',
      response_format: 'wav',
    }),
  )
  const bytes = Buffer.from(await spoken.arrayBuffer())
  await save(folder, 'speech.wav', bytes)
  return bytes
}

async function transcript(sound: Buffer) {
  title('Its transcript')
  const file = await toFile(sound, 'speech.wav')
  const heard = await noted(client.audio.transcriptions.create({ model: 'sandbox/transcribe', file }))
  console.log(heard.text)
}

async function film(folder: string) {
  title('A film, which takes a while')
  let video = await noted(
    client.videos.create({
      model: 'sandbox/video',
      prompt: 'A train crosses the points',
      seconds: '4',
      size: '1280x720',
    }),
  )
  while (video.status === 'queued' || video.status === 'in_progress') {
    progressBar(video.progress)
    await new Promise((done) => setTimeout(done, 250))
    video = await client.videos.retrieve(video.id)
  }
  progressBar(video.progress)
  console.log()
  if (video.status !== 'completed') throw new Error(`The film failed: ${video.error?.message}`)
  const content = await client.videos.downloadContent(video.id)
  await save(folder, 'film.mp4', Buffer.from(await content.arrayBuffer()))
}

async function failure() {
  title('A failure on purpose')
  try {
    await client.chat.completions.create({
      model: 'sandbox/chat',
      messages: [{ role: 'user', content: '[[fail:unavailable]]' }],
    })
    throw new Error('The call was meant to fail and did not.')
  } catch (error) {
    if (!(error instanceof APIError)) throw error
    jobs.push(error.headers?.get('x-job-id') ?? '')
    console.log(`${error.code}: ${error.message}`)
  }
}

function progressBar(percent: number) {
  const filled = Math.round(percent / 4)
  process.stdout.write(`\r${'█'.repeat(filled)}${'░'.repeat(25 - filled)} ${String(percent).padStart(3)} %`)
}

async function save(folder: string, name: string, bytes: Buffer) {
  const path = join(folder, name)
  await writeFile(path, bytes)
  console.log(`${path}  ${(bytes.length / 1024).toFixed(0)} KB`)
}

/** Exact arithmetic over decimal text: the lines of a receipt must make up its cost to the nano-dollar. */
function nano(usd: string): bigint {
  const [whole = '0', fraction = ''] = usd.replace('-', '').split('.')
  const digits = `${fraction}${'0'.repeat(18)}`.slice(0, 18)
  const scaled = BigInt(whole) * 10n ** 18n + BigInt(digits)
  return usd.startsWith('-') ? -scaled : scaled
}

async function bill(): Promise<boolean> {
  title('What it cost')
  let right = true
  for (const id of jobs) {
    const job = Job.parse(await get(`/v1/jobs/${id}`))
    const { cost_usd, lines } = job.billing
    const total = lines.reduce((sum, line) => sum + nano(line.amount_usd), 0n)
    const adds_up = total === nano(cost_usd ?? '0')
    right &&= adds_up
    const sums = lines
      .filter(({ quantity, usd }) => quantity !== 0 && usd !== '0')
      .map(({ meter, quantity, usd, per }) => `${quantity} ${meter} × $${usd}${per === 1 ? '' : ` / ${per}`}`)
    console.log(
      `${job.operation.padEnd(14)} ${job.status.padEnd(10)} $${cost_usd}  ${adds_up ? '=' : '≠'} ${sums.join(' + ') || 'nothing'}`,
    )
  }
  const credits = z
    .object({ available_usd: z.string(), held_usd: z.string(), settled_usd: z.string() })
    .parse(await get('/v1/credits'))
  console.log(`\nspent $${credits.settled_usd}, held $${credits.held_usd}, left $${credits.available_usd}`)
  return right
}

async function verified(): Promise<boolean> {
  const admin = process.env.ADMIN_KEY ?? admin_key
  if (!admin) return true
  const Verification = z.object({ ok: z.boolean(), accounts: z.number(), entries: z.number() })
  const { ok, accounts, entries } = Verification.parse(await get('/api/v1/verify', { method: 'POST' }, admin))
  console.log(`verify: ${accounts} accounts and ${entries} entries ${ok ? 'agree to the nano-dollar' : 'DO NOT AGREE'}`)
  return ok
}

const folder = resolve(values.out)
await mkdir(folder, { recursive: true })
await text()
await picture(folder)
await transcript(await speech(folder))
await film(folder)
await failure()
const right = await bill()
const clean = await verified()
process.exit(right && clean ? 0 : 1)
