// The words of an input map: which of our fields an operation has, which of them a caller always sends, and how a field
// is called by callers. Pure.
import type { Operation } from '../../contract.ts'

/** The operations that maps are for. */
const MAPPED_OPERATIONS = ['image', 'video', 'speech', 'transcription'] as const
export type MappedOperation = (typeof MAPPED_OPERATIONS)[number]

export const isMapped = (operation: Operation): operation is MappedOperation =>
  (MAPPED_OPERATIONS as readonly string[]).includes(operation)

const SHAPE = ['size', 'width', 'height', 'aspect_ratio', 'resolution'] as const

/** What may stand on the left of a map. */
export const FIELDS: Record<MappedOperation, readonly string[]> = {
  image: [
    'prompt',
    'n',
    ...SHAPE,
    'quality',
    'background',
    'output_format',
    'output_compression',
    'images',
    'mask',
    'negative_prompt',
    'seed',
  ],
  video: ['prompt', 'seconds', ...SHAPE, 'first_frame', 'last_frame', 'references', 'audio', 'negative_prompt', 'seed'],
  speech: ['input', 'voice', 'format', 'speed', 'instructions'],
  transcription: ['audio', 'language', 'prompt', 'temperature', 'task', 'words', 'speakers'],
}

/** What every request has and no model can do without. */
export const ESSENTIAL: Record<MappedOperation, readonly string[]> = {
  image: ['prompt'],
  video: ['prompt'],
  speech: ['input', 'voice'],
  transcription: ['audio'],
}

/** Files, which become addresses or data: URLs. */
export const FILES: Record<MappedOperation, readonly string[]> = {
  image: ['images', 'mask'],
  video: ['first_frame', 'last_frame', 'references'],
  speech: [],
  transcription: ['audio'],
}

/** The fields that are of the shape of a picture or film: made into one another. */
export const isOfShape = (field: string): boolean => (SHAPE as readonly string[]).includes(field)

/** What callers call them, where that differs. */
const CALLERS_NAMES: Record<string, string> = {
  images: 'image',
  first_frame: 'input_reference',
  format: 'response_format',
  width: 'size',
  height: 'size',
  words: 'timestamp_granularities',
  speakers: 'response_format',
}

export const callersName = (operation: MappedOperation, field: string): string =>
  operation === 'transcription' && field === 'audio' ? 'file' : (CALLERS_NAMES[field] ?? field)

/** Values that say nothing: what a model does anyway. */
const SILENT: Record<string, readonly unknown[]> = {
  size: ['auto'],
  aspect_ratio: ['auto'],
  quality: ['auto'],
  background: ['auto', 'opaque'],
  task: ['transcribe'],
}

/** The value of a field, undefined where the request says nothing. */
export function said(request: object, field: string): unknown {
  const value: unknown = Reflect.get(request, field)
  if (value === undefined || SILENT[field]?.includes(value)) return undefined
  return Array.isArray(value) && value.length === 0 ? undefined : value
}
