// Many pictures on one sheet, each in a cell with its label. What is transparent lies on a chequered ground.
import sharp from 'sharp'
import type { Picture } from './cases.ts'

const CELL = 220
const LABEL = 46
const GAP = 12
const ACROSS = 7
const SQUARE = 10

export async function drawSheet(pictures: Picture[]): Promise<Buffer> {
  const down = Math.ceil(pictures.length / ACROSS)
  const width = ACROSS * (CELL + GAP) + GAP
  const height = down * (CELL + LABEL + GAP) + GAP
  const cells = await Promise.all(pictures.map(cell))
  const layers = cells.flatMap((layer, index) => {
    const left = GAP + (index % ACROSS) * (CELL + GAP)
    const top = GAP + Math.floor(index / ACROSS) * (CELL + LABEL + GAP)
    return [{ input: layer, left, top }]
  })
  return sharp({ create: { width, height, channels: 3, background: '#f4f4f4' } })
    .composite(layers)
    .png()
    .toBuffer()
}

async function cell(picture: Picture): Promise<Buffer> {
  const { data, info } = await sharp(picture.bytes)
    .resize(CELL, CELL, { fit: 'inside', withoutEnlargement: true })
    .toColourspace('srgb')
    .png()
    .toBuffer({ resolveWithObject: true })
  const left = Math.floor((CELL - info.width) / 2)
  const top = Math.floor((CELL - info.height) / 2)
  return sharp({ create: { width: CELL, height: CELL + LABEL, channels: 3, background: '#ffffff' } })
    .composite([
      { input: chequered(info.width, info.height), left, top },
      { input: data, left, top },
      { input: frame(info.width, info.height), left, top },
      { input: words(picture), left: 0, top: CELL },
    ])
    .png()
    .toBuffer()
}

function chequered(width: number, height: number): Buffer {
  const size = SQUARE * 2
  const squares = `<rect width="${size}" height="${size}" fill="#fff"/><path d="M0 0h${SQUARE}v${SQUARE}H0zM${SQUARE} ${SQUARE}h${SQUARE}v${SQUARE}h-${SQUARE}z" fill="#bbb"/>`
  const pattern = `<pattern id="p" width="${size}" height="${size}" patternUnits="userSpaceOnUse">${squares}</pattern>`
  return svg(width, height, `<defs>${pattern}</defs><rect width="100%" height="100%" fill="url(#p)"/>`)
}

/** A white picture on white paper is a picture too. */
const frame = (width: number, height: number): Buffer =>
  svg(width, height, '<rect width="100%" height="100%" fill="none" stroke="#888" stroke-width="2"/>')

function words({ label, format, width, height, transparent, bytes, faults }: Picture): Buffer {
  const facts = `${width}x${height} ${format}${transparent ? ' alpha' : ''} ${Math.ceil(bytes.length / 1024)} KB`
  const colour = faults.length > 0 ? '#c00' : '#222'
  const text = (y: number, line: string, weight: string) =>
    `<text x="4" y="${y}" font-family="sans-serif" font-size="12" font-weight="${weight}" fill="${colour}">${escaped(line)}</text>`
  return svg(CELL, LABEL, text(17, label, 'bold') + text(35, facts, 'normal'))
}

const svg = (width: number, height: number, body: string): Buffer =>
  Buffer.from(`<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">${body}</svg>`)

const escaped = (text: string): string => text.replace(/[<>&"]/g, (sign) => `&#${sign.charCodeAt(0)};`)
