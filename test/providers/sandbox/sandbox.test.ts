// What the sandbox is as a provider: its definition, its capabilities and their estimates.
import { expect, test } from 'vitest'
import sandbox from '../../../providers/sandbox/index.ts'
import { connect } from './sandbox.ts'

test('the sandbox needs no settings and connects without touching the network', () => {
  expect(sandbox.settings.parse({})).toEqual({})
  expect(Object.keys(connect()).sort()).toEqual(['chat', 'embedding', 'image', 'speech', 'transcription', 'video'])
})

test('every generator estimates, and only the asynchronous one polls and cancels', () => {
  const { chat: _, ...generators } = connect()
  for (const [name, generator] of Object.entries(generators)) {
    expect(generator.estimate, name).toBeTypeOf('function')
    expect('poll' in generator, name).toBe(name === 'video')
    expect('cancel' in generator, name).toBe(name === 'video')
  }
})
