// sharp, loaded with the first picture: 25 MB that a router of text never uses.
import { createRequire } from 'node:module'
import type sharpLibrary from 'sharp'

export type { Sharp } from 'sharp'

const require = createRequire(import.meta.url)

export const sharp = (...given: Parameters<typeof sharpLibrary>) => (require('sharp') as typeof sharpLibrary)(...given)
