// A stream that is written by one router and gone on with at another: its reader waits there for the end, and gets the
// same events with the same numbers.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { readEvents } from '../../src/protocols/sse.ts'
import { type TestStore, testStore } from '../support/store.ts'
import { type Caller, Site } from './site.ts'

let shared: TestStore
let files: string
let here: Site
let there: Site
let caller: Caller
beforeAll(async () => {
  shared = await testStore()
  files = await mkdtemp(join(tmpdir(), 'sw-files-'))
  const options = { environment: { MONGODB_URI: shared.uri, STORAGE_URL: files } }
  here = await Site.open(options)
  there = await Site.open(options)
  caller = await here.caller('1')
})
afterAll(async () => {
  await Promise.all([here.close(), there.close()])
  await shared.close()
  await rm(files, { recursive: true, force: true })
})

const headers = () => ({ authorization: `Bearer ${caller.key}`, 'content-type': 'application/json' })
const begin = (site: Site, body: object) =>
  fetch(`${site.url}/v1/responses`, {
    method: 'POST',
    headers: headers(),
    body: JSON.stringify({ model: 'sandbox/chat', stream: true, ...body }),
  })
const goOn = (site: Site, id: string, after: number) =>
  fetch(`${site.url}/v1/responses/${id}?stream=true&starting_after=${after}`, { headers: headers() })
const eventsOf = async (answer: Response) =>
  readEvents(await answer.text()).map(({ data }) => JSON.parse(data) as { sequence_number: number; type: string })
const idIn = (events: object[]) => (events[0] as { response: { id: string } }).response.id

it('is the same there while it is written here, and afterwards', async () => {
  const first = await begin(here, { input: 'one two three four five six seven [[delay:40ms]]' })
  const id = `resp_${first.headers.get('x-job-id')?.slice('job_'.length)}`
  const meanwhile = eventsOf(await goOn(there, id, 3))
  const events = await eventsOf(first)
  expect(await meanwhile).toEqual(events.slice(4))
  expect(await eventsOf(await goOn(there, id, 5))).toEqual(events.slice(6))
})

it('is the same there for work in the background, whichever router does it', async () => {
  const events = await eventsOf(await begin(here, { input: 'one two three [[delay:40ms]]', background: true }))
  expect(events.map(({ sequence_number }) => sequence_number)).toEqual(events.map((_, index) => index))
  for (const site of [here, there]) expect(await eventsOf(await goOn(site, idIn(events), 4))).toEqual(events.slice(5))
})
