// Files are what their bytes say.
import { describe, expect, it } from 'vitest'
import { sniff } from '../../src/media/sniff.ts'
import { aac, film, flac, html, mp3, opus, picture, svg, wav } from './samples.ts'

const elf = Buffer.concat([Buffer.from('\x7fELF\x02\x01\x01', 'latin1'), Buffer.alloc(64)])
const typeOf = async (bytes: Uint8Array, declared?: string) => Object.values(await sniff(bytes, declared)).join(' ')

describe('sniff', () => {
  it('knows pictures', async () => {
    expect(await typeOf(await picture().png().toBuffer())).toBe('image/png png image')
    expect(await typeOf(await picture().jpeg().toBuffer())).toBe('image/jpeg jpg image')
    expect(await typeOf(await picture().webp().toBuffer())).toBe('image/webp webp image')
    expect(await typeOf(await picture().gif().toBuffer())).toBe('image/gif gif image')
    expect(await typeOf(await picture().avif().toBuffer())).toBe('image/avif avif image')
  })

  it('knows sounds and films', async () => {
    expect(await typeOf(wav)).toBe('audio/wav wav audio')
    expect(await typeOf(mp3)).toBe('audio/mpeg mp3 audio')
    expect(await typeOf(flac)).toBe('audio/flac flac audio')
    expect(await typeOf(opus)).toBe('audio/ogg opus audio')
    expect(await typeOf(aac)).toMatch(/^audio\/aac aac audio$/)
    expect(await typeOf(await film())).toBe('video/mp4 mp4 video')
  })

  it('knows documents', async () => {
    expect(await typeOf(Buffer.from('%PDF-1.7\n'))).toBe('application/pdf pdf document')
    expect(await typeOf(Buffer.from('Grüße\n'))).toBe('text/plain txt document')
  })

  it('takes no program for a picture', async () => {
    expect(await typeOf(svg)).toBe('text/plain txt document')
    expect(await typeOf(Buffer.concat([Buffer.from('<?xml version="1.0"?>'), svg]))).toBe('application/xml xml other')
    expect(await typeOf(html)).toBe('text/plain txt document')
    expect(await typeOf(elf, 'image/png')).toBe('application/x-elf elf other')
  })

  it('says of anything else that it does not know', async () => {
    expect(await typeOf(Buffer.alloc(0))).toBe('application/octet-stream bin other')
    expect(await typeOf(Buffer.alloc(100, 1))).toBe('application/octet-stream bin other')
  })

  it('believes a declared type of raw samples alone', async () => {
    expect(await typeOf(Buffer.alloc(100), 'audio/pcm')).toBe('audio/pcm pcm audio')
    expect(await typeOf(Buffer.alloc(100), 'image/png')).toBe('application/octet-stream bin other')
  })
})
