// Sizes, ratios and resolutions made into one another.
import { describe, expect, it, test } from 'vitest'
import {
  exactRatio,
  filmResolution,
  filmSize,
  nearestRatio,
  pictureResolution,
  resolutionName,
  sizeAgrees,
  sizeOf,
} from '../../src/protocols/shape.ts'

test('a ratio and a resolution make a size of that area, in steps of sixteen', () => {
  expect(sizeOf({})).toBe('1024x1024')
  expect(sizeOf({ aspect_ratio: '16:9' })).toBe('1360x768')
  expect(sizeOf({ aspect_ratio: '1:1', resolution: '4K' })).toBe('4096x4096')
  expect(sizeOf({ aspect_ratio: '9:16', resolution: '2k' })).toBe('1536x2736')
})

test('the nearest ratio is found among those that a model makes, by size or by ratio', () => {
  expect(nearestRatio({ size: '1280x720' }, ['1:1', '16:9', '9:16'])).toBe('16:9')
  expect(nearestRatio({ aspect_ratio: '21:9' }, ['1:1', '16:9', '9:16'])).toBe('16:9')
  expect(nearestRatio({ size: 'auto' }, ['16:9', '1:1'])).toBe('1:1')
})

test('a size has an exact ratio in the smallest whole numbers', () => {
  expect(exactRatio({ size: '1280x720' })).toBe('16:9')
  expect(exactRatio({ size: 'auto', aspect_ratio: '3:2' })).toBe('3:2')
  expect(exactRatio({})).toBeUndefined()
})

test('a picture falls into the class of its area', () => {
  expect(pictureResolution({ size: '1536x1024' })).toBe('2K')
  expect(pictureResolution({ size: '1360x768' })).toBe('1K')
  expect(pictureResolution({ size: '3840x2160' })).toBe('4K')
  expect(pictureResolution({ resolution: '2k' })).toBe('2K')
})

test('a film falls into the class of its shorter edge', () => {
  expect(filmResolution({ size: '1280x720' }, ['480p', '720p', '1080p'])).toBe('720p')
  expect(filmResolution({ resolution: '4K' }, ['720p', '1080p', '4k'])).toBe('4k')
  expect(filmResolution({}, ['720p', '1080p'])).toBe('720p')
})

describe('the size of a film', () => {
  it.each([
    [{}, '1280x720'],
    [{ aspect_ratio: '9:16' }, '720x1280'],
    [{ aspect_ratio: '16:9', resolution: '1080P' }, '1920x1080'],
    [{ aspect_ratio: '16:9', resolution: '480p' }, '854x480'],
    [{ aspect_ratio: '1:1', resolution: '4k' }, '2160x2160'],
    [{ resolution: 'large' }, undefined],
  ])('of %j is %s', (shape, size) => {
    expect(filmSize(shape)).toBe(size)
  })

  it('agrees with its ratio and resolution, a rounded edge or not', () => {
    expect(sizeAgrees('854x480', { aspect_ratio: '16:9', resolution: '480p' })).toBe(true)
    expect(sizeAgrees('1792x1024', { aspect_ratio: '16:9' })).toBe(false)
    expect(sizeAgrees('1280x720', { resolution: '1080p' })).toBe(false)
    expect(sizeAgrees('auto', {})).toBe(false)
  })

  it('has the usual name of its resolution', () => {
    expect([resolutionName('1080x1920'), resolutionName('3840x2160'), resolutionName('1024x1792')]).toEqual([
      '1080p',
      '4k',
      undefined,
    ])
  })
})
