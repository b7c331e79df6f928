// Draws and encodes one film in a thread of its own: H.264 in MP4, one frame a second, and its stills. Posts them and ends.
import { parentPort, workerData } from 'node:worker_threads'
import encoder from 'h264-mp4-encoder'
import sharp, { type OverlayOptions } from 'sharp'
import type { Clip, ClipPlan, Scene } from './clips.ts'
import { sceneSvg } from './scene.ts'

const FRAME_RATE = 1
// Of the encoder's 10 (best) to 51 (coarsest): flat colours stay clean, a frame takes 10 to 40 kB.
const QUANTIZATION = 24
const FASTEST = 10
const TILES_A_ROW = 4
/** The longer edge of a tile of the sprite sheet, and of a thumbnail. */
const TILE_EDGE = 256
const THUMBNAIL_EDGE = 640

// A worker's data has no type of its own: clips.ts, the only one to start this file, passes a plan.
const plan = workerData as ClipPlan
const { width, height } = plan
const raw = { width, height, channels: 4 as const }

/** A second of the film: the scene, and which of its own seconds it is. */
const seconds = plan.scenes.flatMap((scene) => Array.from({ length: scene.seconds }, (_, at) => ({ scene, at })))

async function make(): Promise<Clip> {
  const film = await encoder.createH264MP4Encoder()
  film.width = width
  film.height = height
  film.frameRate = FRAME_RATE
  film.groupOfPictures = FRAME_RATE
  film.quantizationParameter = QUANTIZATION
  film.speed = FASTEST
  film.initialize()
  const tiles: Buffer[] = []
  let first: Buffer | undefined
  for (const [index, { scene, at }] of seconds.entries()) {
    const pixels = await frame(scene, at, index)
    first ??= pixels
    film.addFrameRgba(pixels)
    tiles.push(await sharp(pixels, { raw }).resize(TILE_EDGE, TILE_EDGE, { fit: 'inside' }).png().toBuffer())
  }
  film.finalize()
  return {
    film: film.FS.readFile(film.outputFilename),
    thumbnail: await sharp(first, { raw }).resize(THUMBNAIL_EDGE, THUMBNAIL_EDGE, { fit: 'inside' }).webp().toBuffer(),
    spritesheet: await sheet(tiles),
  }
}

async function sheet(tiles: Buffer[]): Promise<Buffer> {
  const { width: tile_width, height: tile_height } = await sharp(tiles[0]).metadata()
  const columns = Math.min(TILES_A_ROW, tiles.length)
  const rows = Math.ceil(tiles.length / columns)
  const size = { width: columns * tile_width, height: rows * tile_height }
  return sharp({ create: { ...size, channels: 3, background: 'black' } })
    .composite(
      tiles.map((input, index) => ({
        input,
        left: (index % columns) * tile_width,
        top: Math.floor(index / columns) * tile_height,
      })),
    )
    .jpeg({ quality: 85 })
    .toBuffer()
}

async function frame(scene: Scene, at: number, index: number): Promise<Buffer> {
  const behind = scene.last_frame !== undefined && at >= scene.seconds / 2 ? scene.last_frame : scene.first_frame
  const svg = sceneSvg({
    width,
    height,
    seed: scene.seed ?? scene.words,
    caption: scene.words,
    label: `${index + 1}/${seconds.length} s  ${width}x${height} ${scene.note ?? 'sandbox'}`,
    day: (at + 0.5) / scene.seconds,
    progress: (index + 1) / seconds.length,
    backdrop: behind === undefined ? 'painted' : 'sky_open',
  })
  const insets = await insetsOf(scene.references ?? [])
  const layers = behind === undefined ? insets : [{ input: Buffer.from(svg) }, ...insets]
  const ground =
    behind === undefined
      ? sharp(Buffer.from(svg))
      : sharp(Buffer.from(behind, 'base64')).resize(width, height, { fit: 'cover' })
  return ground.composite(layers).ensureAlpha().raw().toBuffer()
}

/** The caller's pictures in a row below the small print, each a sixth of the film's width. */
function insetsOf(references: string[]): Promise<OverlayOptions[]> {
  const edge = Math.floor(width / 6)
  const gap = Math.floor(edge / 6)
  return Promise.all(
    references.map(async (picture, index) => ({
      input: await sharp(Buffer.from(picture, 'base64')).resize(edge, edge, { fit: 'cover' }).png().toBuffer(),
      left: gap + index * (edge + gap),
      top: Math.floor(height / 8),
    })),
  )
}

parentPort?.postMessage(await make())
