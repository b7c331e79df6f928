// The text of keys: random, recognisable, and proof against slips of the pen.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { hashOfKey, isKeyText, newKeyText, prefixOfKey } from '../../src/flow/account/key_text.ts'

describe('a key', () => {
  it('has a fixed form, and is a new one every time', () => {
    const keys = new Set(Array.from({ length: 1000 }, newKeyText))
    expect(keys.size).toBe(1000)
    for (const key of keys) {
      expect(key).toMatch(/^sk-sw-[0-9A-Za-z]{49}$/)
      expect(isKeyText(key)).toBe(true)
    }
  })

  it('shows a slip in any one character', () => {
    const letter = fc.constantFrom(...'0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz')
    fc.assert(
      fc.property(fc.integer({ min: 6, max: 54 }), letter, (place, other) => {
        const key = newKeyText()
        const slipped = key.slice(0, place) + other + key.slice(place + 1)
        return slipped === key || !isKeyText(slipped)
      }),
    )
  })

  it.each(['', 'sk-sw-', "' OR 1=1--", 'sk-proj-abc', `${newKeyText()} `, '[object Object]'])('is not %j', (text) => {
    expect(isKeyText(text)).toBe(false)
  })

  it('is known by its hash, and recognised by a prefix that gives nothing away', () => {
    const key = newKeyText()
    expect(hashOfKey(key)).toMatch(/^[0-9a-f]{64}$/)
    expect(key.startsWith(prefixOfKey(key))).toBe(true)
    expect(prefixOfKey(key)).toHaveLength(12)
  })
})
