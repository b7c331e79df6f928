// A shape fitted into what a model makes, or refused by the name of the field that does not fit.
import { describe, expect, it } from 'vitest'
import type { ProviderError } from '../../src/contract.ts'
import { fitRatio, fitSize } from '../../src/protocols/media-tasks/fit.ts'
import type { Shape } from '../../src/protocols/shape.ts'

const refusedField = (attempt: () => unknown): string | undefined => {
  try {
    return `nothing: it became ${attempt()}`
  } catch (error) {
    return (error as ProviderError).detail.param
  }
}

describe('a ratio', () => {
  const ratios = ['16:9', '1:1', '9:16', '3:2'] as const
  it.each<[Shape, string | undefined]>([
    [{}, undefined],
    [{ size: 'auto' }, undefined],
    [{ aspect_ratio: '16:9' }, '16:9'],
    [{ aspect_ratio: '6:4' }, '3:2'],
    [{ size: '1360x768' }, '16:9'],
    [{ size: '720x1280' }, '9:16'],
  ])('of %o is %s', (shape, ratio) => expect(fitRatio(shape, ratios, 'acme/film')).toBe(ratio))

  it.each<[Shape, string]>([
    [{ aspect_ratio: '21:9' }, 'aspect_ratio'],
    [{ aspect_ratio: 'wide' }, 'aspect_ratio'],
    [{ size: '1000x900' }, 'size'],
  ])('of %o is refused', (shape, param) => expect(refusedField(() => fitRatio(shape, ratios, 'acme/film'))).toBe(param))
})

describe('a size', () => {
  const sizes = ['1280:720', '720:1280', '1920:1080', '960:960', '1584:672'] as const
  it.each<[Shape, string | undefined]>([
    [{}, undefined],
    [{ size: '960x960' }, '960:960'],
    [{ aspect_ratio: '9:16' }, '720:1280'],
    [{ aspect_ratio: '16:9' }, '1280:720'],
    [{ aspect_ratio: '16:9', resolution: '1K' }, '1280:720'],
    [{ aspect_ratio: '1:1', resolution: '1K' }, '960:960'],
  ])('of %o is %s', (shape, size) => expect(fitSize(shape, sizes, 'acme/film')).toBe(size))

  it.each<[Shape, string]>([
    [{ size: '1281x720' }, 'size'],
    [{ aspect_ratio: '4:3' }, 'aspect_ratio'],
    [{ aspect_ratio: '16:9', resolution: '2K' }, 'resolution'],
    [{ resolution: '8K' }, 'resolution'],
  ])('of %o is refused', (shape, param) => expect(refusedField(() => fitSize(shape, sizes, 'acme/film'))).toBe(param))
})
