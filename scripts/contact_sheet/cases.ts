// What is asked for the contact sheet, and what must be true of each answer: size, format, transparency, and what an edit
// may and may not touch.
import { toFile } from 'openai'
import sharp, { type Sharp } from 'sharp'
import type { Studio } from './studio.ts'

export interface Picture {
  label: string
  bytes: Buffer
  format: string
  width: number
  height: number
  transparent: boolean
  faults: string[]
}

interface Wanted {
  format?: string
  size?: string
  transparent?: boolean
}

/** Colour and opacity at a place, each from 0 to 255. */
type Pixel = [number, number, number, number]

export async function askAll(studio: Studio): Promise<Picture[]> {
  const first = await generate(studio, 'plain', { size: '1024x1024' })
  return [
    first,
    ...(await inTurn(FORMATS, (format) => inFormat(studio, format))),
    ...(await inTurn(SIZES, (size) => generate(studio, size, { size }, { size }))),
    ...(await inTurn(SHAPES, ([shape, size]) => generate(studio, Object.values(shape).join(' '), shape, { size }))),
    ...(await transparentOnes(studio)),
    ...(await edits(studio, first.bytes)),
    ...(await inTurn(GIVEN, ([name, make]) => given(studio, name, make))),
    ...(await thumbnails(studio)),
    ...(await thread(studio)),
  ]
}

async function inTurn<Item, Result>(items: readonly Item[], work: (item: Item) => Promise<Result>): Promise<Result[]> {
  const results: Result[] = []
  for (const item of items) results.push(await work(item))
  return results
}

const FORMATS = ['png', 'jpeg', 'webp'] as const
const SIZES = ['64x64', '64x192', '192x64', '512x768', '1536x512', '1360x4080', '4096x4096']
const SHAPES: [Record<string, string>, string][] = [
  [{ aspect_ratio: '1:1', resolution: '1K' }, '1024x1024'],
  [{ aspect_ratio: '16:9', resolution: '1K' }, '1360x768'],
  [{ aspect_ratio: '9:16', resolution: '2K' }, '1536x2736'],
  [{ aspect_ratio: '3:1', resolution: '1K' }, '1776x592'],
  [{ aspect_ratio: '1:3', resolution: '1K' }, '592x1776'],
  [{ aspect_ratio: '1:1', resolution: '4K' }, '4096x4096'],
]
const PROMPT = 'A switchyard at dawn'

async function generate(studio: Studio, label: string, fields: object, wanted: Wanted = {}): Promise<Picture> {
  const body = { model: 'sandbox/image', prompt: PROMPT, ...fields }
  const { data } = await studio.client.images.generate(body as typeof body & { stream: false })
  return measured(label, bytesOf(data), wanted)
}

const bytesOf = (data: { b64_json?: string }[] | undefined) => Buffer.from(data?.[0]?.b64_json ?? '', 'base64')

async function measured(label: string, bytes: Buffer, wanted: Wanted = {}): Promise<Picture> {
  const { format = 'none', width = 0, height = 0, exif } = await sharp(bytes).metadata()
  const transparent = !(await sharp(bytes).stats()).isOpaque
  const found = { format, size: `${width}x${height}`, transparent }
  const faults = Object.entries({ format: 'png', transparent: false, ...wanted })
    .filter(([name, value]) => found[name as keyof typeof found] !== value)
    .map(([name, value]) => `${name} is ${found[name as keyof typeof found]}, not ${value}`)
  if (exif) faults.push('it has EXIF')
  return { label, bytes, format, width, height, transparent, faults }
}

const inFormat = (studio: Studio, format: string) =>
  generate(studio, format, { size: '512x512', output_format: format }, { format, size: '512x512' })

const transparentOnes = (studio: Studio) =>
  inTurn(['png', 'webp'], (format) =>
    generate(
      studio,
      `transparent ${format}`,
      { size: '512x512', background: 'transparent', output_format: format },
      { format, transparent: true },
    ),
  )

/** The hole is changed, what lies outside of it is not. */
async function edits(studio: Studio, whole: Buffer): Promise<Picture[]> {
  const fields = { model: 'sandbox/image', prompt: 'A red locomotive', size: '1024x1024' as const }
  const hole = { left: 256, top: 512, width: 512, height: 384 }
  const image = await toFile(whole, 'yard.png', { type: 'image/png' })
  const free = await studio.client.images.edit({ ...fields, image })
  const pictures = [await measured('edit', bytesOf(free.data), { size: '1024x1024' })]
  for (const [label, mask] of [
    ['hole', await holed(hole)],
    ['white on black', await whiteOnBlack(hole)],
  ] as const) {
    const masked = await studio.client.images.edit({
      ...fields,
      image,
      mask: await toFile(mask, 'mask.png', { type: 'image/png' }),
    })
    const picture = await measured(`masked: ${label}`, bytesOf(masked.data), { size: '1024x1024' })
    picture.faults.push(...(await compared(whole, picture.bytes, hole)))
    pictures.push(await measured(`mask sent: ${label}`, mask, { transparent: label === 'hole' }), picture)
  }
  const jpeg = await sharp(whole).resize(400, 300).jpeg().toBuffer()
  const several = await studio.client.images.edit({ ...fields, image: [image, await toFile(jpeg, 'b.jpg')] })
  return [...pictures, await measured('edit of two', bytesOf(several.data))]
}

interface Hole {
  left: number
  top: number
  width: number
  height: number
}

const blank = (background: string, width = 1024, height = 1024) =>
  sharp({ create: { width, height, channels: 4, background } })

const holed = ({ left, top, width, height }: Hole): Promise<Buffer> => {
  const input = { create: { width, height, channels: 4 as const, background: '#fff' } }
  return blank('#000')
    .composite([{ input, left, top, blend: 'dest-out' }])
    .png()
    .toBuffer()
}

const whiteOnBlack = ({ left, top, width, height }: Hole): Promise<Buffer> => {
  const input = { create: { width, height, channels: 3 as const, background: '#fff' } }
  return blank('#000').composite([{ input, left, top }]).removeAlpha().png().toBuffer()
}

async function compared(before: Buffer, after: Buffer, { left, top, width, height }: Hole): Promise<string[]> {
  const [one, other] = await Promise.all([rawOf(before), rawOf(after)])
  let inside = 0
  let outside = 0
  for (let at = 0; at < one.data.length; at += 3) {
    const differs = one.data[at] !== other.data[at] || one.data[at + 1] !== other.data[at + 1]
    if (!differs) continue
    const x = (at / 3) % one.info.width
    const y = Math.floor(at / 3 / one.info.width)
    if (x >= left && x < left + width && y >= top && y < top + height) inside++
    else outside++
  }
  const changed = inside / (width * height)
  return [
    ...(outside > 0 ? [`${outside} pixels outside of the hole have changed`] : []),
    ...(changed < 0.5 ? [`only ${Math.round(changed * 100)} % of the hole has changed`] : []),
  ]
}

const rawOf = (bytes: Buffer) =>
  sharp(bytes).flatten({ background: '#fff' }).removeAlpha().raw().toBuffer({ resolveWithObject: true })

/** A stand-in of a provider gives these; callers get PNG, or what they asked for. Two halves, so that a turn shows. */
const halves = async (): Promise<Sharp> => {
  const right = { create: { width: 200, height: 200, channels: 3 as const, background: '#d33' } }
  const both = await blank('#2a6', 400, 200)
    .composite([{ input: right, left: 200, top: 0 }])
    .removeAlpha()
    .png()
    .toBuffer()
  return sharp(both)
}
const GREEN: Pixel = [34, 170, 102, 255]
const RED: Pixel = [221, 51, 51, 255]

interface Given {
  asked?: string
  wanted: Wanted
  /** What must be seen at a place, as parts of width and height. */
  seen: [x: number, y: number, pixel: Pixel][]
}

const GIVEN: [string, () => Promise<{ bytes: Buffer } & Given>][] = [
  ...(['avif', 'tiff', 'gif', 'webp', 'jpeg'] as const).map((format): (typeof GIVEN)[number] => [
    `gives ${format}, asked png`,
    async () => ({
      bytes: await (await halves())[format]({}).toBuffer(),
      asked: 'png',
      wanted: { format: 'png', size: '400x200' },
      seen: [
        [0.1, 0.5, GREEN],
        [0.9, 0.5, RED],
      ],
    }),
  ]),
  [
    'turned by EXIF',
    async () => ({
      bytes: await (await halves()).jpeg({ quality: 95 }).withMetadata({ orientation: 6 }).toBuffer(),
      wanted: { format: 'jpeg', size: '200x400' },
      seen: [
        [0.5, 0.1, GREEN],
        [0.5, 0.9, RED],
      ],
    }),
  ],
  [
    'CMYK becomes sRGB',
    async () => ({
      bytes: await (await halves()).toColourspace('cmyk').jpeg({ quality: 95 }).toBuffer(),
      wanted: { format: 'jpeg', size: '400x200' },
      seen: [
        [0.1, 0.5, GREEN],
        [0.9, 0.5, RED],
      ],
    }),
  ],
  [
    'Display P3 keeps its colours',
    async () => ({
      bytes: await (await halves()).png().withIccProfile('p3').toBuffer(),
      asked: 'jpeg',
      wanted: { format: 'jpeg', size: '400x200' },
      seen: [
        [0.1, 0.5, GREEN],
        [0.9, 0.5, RED],
      ],
    }),
  ],
  [
    'transparent, asked jpeg',
    async () => ({
      bytes: await blank('#00000000', 200, 200).png().toBuffer(),
      asked: 'jpeg',
      wanted: { format: 'jpeg', size: '200x200' },
      seen: [[0.5, 0.5, [255, 255, 255, 255]]],
    }),
  ],
]

async function given(studio: Studio, label: string, make: () => Promise<{ bytes: Buffer } & Given>): Promise<Picture> {
  const { bytes, asked, wanted, seen } = await make()
  studio.give(bytes)
  const body = { model: 'openai/gpt-image-1-mini', prompt: PROMPT, size: '1024x1024', response_format: 'url' }
  const format = asked === undefined ? {} : { output_format: asked }
  const answer = await studio.client.images.generate({ ...body, ...format } as typeof body & { stream: false } as never)
  const { pathname } = new URL((answer as { data: { url: string }[] }).data[0]?.url ?? '')
  const picture = await measured(label, await studio.file(pathname), wanted)
  picture.faults.push(...(await looked(picture, seen)))
  return picture
}

/** JPEG and profiles mix colours a little, inks more. */
const COLOUR_TOLERANCE = 32

async function looked({ bytes }: Picture, seen: Given['seen']): Promise<string[]> {
  const { data, info } = await sharp(bytes)
    .toColourspace('srgb')
    .ensureAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true })
  return seen.flatMap(([x, y, pixel]) => {
    const at = (Math.floor(y * info.height) * info.width + Math.floor(x * info.width)) * info.channels
    const found = [...data.subarray(at, at + 4)]
    const off = Math.max(...pixel.map((value, channel) => Math.abs(value - (found[channel] ?? 0))))
    return off <= COLOUR_TOLERANCE ? [] : [`at ${x}, ${y} it is ${found.join(' ')}, not ${pixel.join(' ')}`]
  })
}

async function thumbnails(studio: Studio): Promise<Picture[]> {
  const pictures: Picture[] = []
  for (const size of ['2048x1024', '1024x2048'] as const) {
    const body = { model: 'sandbox/image', prompt: PROMPT, size: size as '1024x1024', response_format: 'url' as const }
    const answer = await studio.client.images.generate({ ...body, background: 'transparent' })
    const { pathname } = new URL(answer.data?.[0]?.url ?? '')
    for (const edge of [64, 256]) {
      const small = size.startsWith('2048') ? `${edge}x${edge / 2}` : `${edge / 2}x${edge}`
      const bytes = await studio.file(`${pathname}?thumbnail=${edge}`)
      pictures.push(
        await measured(`thumb ${edge} of ${size}`, bytes, { format: 'webp', size: small, transparent: true }),
      )
    }
  }
  return pictures
}

async function thread(studio: Studio): Promise<Picture[]> {
  const asked = { model: 'sandbox/image', prompt: 'A signal box', size: '768x512' }
  type Made = { thread_id: string; data: { b64_json: string }[] }
  const first = await studio.client.post<Made>('/images/threads', { body: asked as never })
  const next = (prompt: string) =>
    studio.client.post<Made>(`/images/threads/${first.thread_id}`, { body: { prompt } as never })
  const turns = [first, await next('at night'), await next('in the snow')]
  return inTurn([...turns.entries()], ([index, { data }]) =>
    measured(`thread, turn ${index + 1}`, bytesOf(data), { size: '768x512' }),
  )
}
