// Names of fields that mean something to a store of documents (dots, dollars, references) are only names in a request that
// is kept; what no store can keep is refused before anything is done.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Caller, Site } from './site.ts'

let site: Site
let caller: Caller
beforeAll(async () => {
  site = await Site.open()
  caller = await site.caller('5')
})
afterAll(() => site.close())

const respond_async = { headers: { prefer: 'respond-async' } }
const strange = { 'a.b': {}, $set: { $inc: {} }, $ref: '#/x', $id: 'y', '': {}, '\\u0000': {} }
const tool = (properties: object) => ({ name: 'f', parameters: { type: 'object', properties } })
const chat = (properties: object) => ({
  model: 'sandbox/chat',
  messages: [{ role: 'user', content: 'n\0l' }],
  tools: [{ type: 'function', function: tool(properties) }],
  metadata: { 'a.b': 'x', $c: 'y' },
})
const response = (properties: object) => ({
  model: 'sandbox/chat',
  input: 'n\0l',
  background: true,
  tools: [{ type: 'function', ...tool(properties) }],
  metadata: { 'a.b': 'x', $c: 'y' },
})

describe('a request that is kept', () => {
  it.each([
    ['/v1/chat/completions', chat(strange)],
    ['/v1/responses', response(strange)],
  ])('%s may have any other name', async (path, body) => {
    const { status, job_id } = await caller.send(path, body, respond_async)
    expect(status).toBeLessThan(300)
    expect(await caller.jobWhen(job_id)).toMatchObject({ status: 'completed' })
  })

  it.each([
    ['/v1/chat/completions', chat({ 'n\0l': {} })],
    ['/v1/responses', response({ 'n\0l': {} })],
    ['/v1/videos', { model: 'sandbox/video', prompt: 'a hill', seconds: '4', metadata: { 'n\0l': 'x' } }],
  ])('%s may have no name that cannot be kept', async (path, body) => {
    const { status, json } = await caller.send(path, body, respond_async)
    expect({ status, message: json.error.message }).toEqual({
      status: 400,
      message: expect.stringContaining('U+0000'),
    })
  })
})
