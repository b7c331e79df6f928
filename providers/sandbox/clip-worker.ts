// Draws and encodes one film in a thread of its own: H.264 in MP4, one frame a second. Posts the file and ends.
import { parentPort, workerData } from 'node:worker_threads'
import encoder from 'h264-mp4-encoder'
import sharp, { type Sharp } from 'sharp'
import type { ClipPlan } from './clips.ts'
import { sceneSvg } from './scene.ts'

const FRAME_RATE = 1
// Of the encoder's 10 (best) to 51 (coarsest): flat colours stay clean, a frame takes 10 to 40 kB.
const QUANTIZATION = 24
const FASTEST = 10

// A worker's data has no type of its own: clips.ts, the only one to start this file, passes a plan.
const plan = workerData as ClipPlan

async function encode(): Promise<Uint8Array> {
  const film = await encoder.createH264MP4Encoder()
  film.width = plan.width
  film.height = plan.height
  film.frameRate = FRAME_RATE
  film.groupOfPictures = FRAME_RATE
  film.quantizationParameter = QUANTIZATION
  film.speed = FASTEST
  film.initialize()
  for (let second = 0; second < plan.seconds; second++) film.addFrameRgba(await frame(second))
  film.finalize()
  return film.FS.readFile(film.outputFilename)
}

async function frame(second: number): Promise<Uint8Array> {
  const svg = sceneSvg({
    width: plan.width,
    height: plan.height,
    seed: plan.words,
    caption: plan.words,
    label: `${second + 1}/${plan.seconds} s  ${plan.width}x${plan.height} sandbox`,
    day: (second + 0.5) / plan.seconds,
    progress: (second + 1) / plan.seconds,
    backdrop: plan.first_frame === undefined ? 'painted' : 'sky_open',
  })
  const drawn = sharp(Buffer.from(svg))
  const picture = plan.first_frame === undefined ? drawn : await before(plan.first_frame, drawn)
  return picture.ensureAlpha().raw().toBuffer()
}

/** The caller's picture where the sky would be. */
async function before(first_frame: string, drawn: Sharp): Promise<Sharp> {
  const sky = sharp(Buffer.from(first_frame, 'base64')).resize(plan.width, plan.height, { fit: 'cover' })
  return sky.composite([{ input: await drawn.png({ compressionLevel: 0 }).toBuffer() }])
}

parentPort?.postMessage(await encode())
