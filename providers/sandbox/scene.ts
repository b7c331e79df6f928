// The landscape that every picture and film of the sandbox shows, as SVG: its colours and hills come from the prompt.
// Pure: the same words and size are the same drawing.
import { CELL_HEIGHT, CELL_WIDTH, lettersPath, wrap } from './lettering.ts'
import { seededNumbers } from './seeded.ts'

export interface SceneSettings {
  width: number
  height: number
  /** Colours and hills follow from it. */
  seed: string
  caption: string
  /** Small print in the corner. */
  label: string
  /** How far the day has come, from 0 to 1: the sun's place. Taken from the seed if absent. */
  day?: number
  /** The share of the bar along the lower edge that is full; no bar if absent. */
  progress?: number
  /** Paint neither sky nor hills: what lies behind shows through. */
  backdrop?: 'painted' | 'sky_open' | 'open'
}

export function sceneSvg(settings: SceneSettings): string {
  const { width, height, backdrop = 'painted' } = settings
  const next = seededNumbers(settings.seed)
  const hue = Math.floor(next() * 360)
  const day = settings.day ?? 0.2 + next() * 0.6
  const hills = [0, 1, 2].map((layer) => hill(width, height, layer, hue, next))
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">`,
    backdrop === 'painted' ? sky(hue) : '',
    backdrop === 'open' ? '' : sun(width, height, day, hue),
    backdrop === 'open' ? '' : hills.join(''),
    caption(settings),
    label(settings),
    settings.progress === undefined ? '' : bar(width, height, settings.progress),
    '</svg>',
  ].join('')
}

function sky(hue: number): string {
  return (
    '<defs><linearGradient id="sky" x1="0" y1="0" x2="0" y2="1">' +
    `<stop offset="0" stop-color="${colour(hue, 60, 38)}"/><stop offset="0.7" stop-color="${colour(hue + 45, 75, 80)}"/>` +
    '</linearGradient></defs><rect width="100%" height="100%" fill="url(#sky)"/>'
  )
}

function sun(width: number, height: number, day: number, hue: number): string {
  const radius = Math.min(width, height) * 0.11
  const x = round(radius + (width - 2 * radius) * day)
  const y = round(height * (0.5 - 0.3 * Math.sin(Math.PI * day)))
  const disc = (scale: number, opacity: number) =>
    `<circle cx="${x}" cy="${y}" r="${round(radius * scale)}" fill="${colour(hue + 60, 95, 88)}" opacity="${opacity}"/>`
  return disc(1.7, 0.25) + disc(1, 1)
}

function hill(width: number, height: number, layer: number, hue: number, next: () => number): string {
  const top = height * (0.52 + layer * 0.13)
  const swell = height * 0.12
  const points = Array.from({ length: 5 }, (_, index) => ({
    x: round((width * index) / 4),
    y: round(top + (next() - 0.5) * swell),
  }))
  // Smooth through the points: every segment leaves and arrives level.
  const curves = points.slice(1).map(({ x, y }, index) => {
    const from = points[index] ?? { x: 0, y }
    const middle = round((from.x + x) / 2)
    return `C${middle} ${from.y} ${middle} ${y} ${x} ${y}`
  })
  const fill = colour(hue + 160 - layer * 14, 38 + layer * 6, 52 - layer * 14)
  return `<path d="M0 ${points[0]?.y ?? top}${curves.join('')}V${height}H0z" fill="${fill}"/>`
}

/** Over a picture that may have words of its own there, these must be the only ones. */
const panelOpacity = ({ backdrop }: SceneSettings, seen_through: number): number =>
  backdrop === 'open' ? 1 : seen_through

function caption(settings: SceneSettings): string {
  const { width, height, caption: text } = settings
  if (text.trim() === '') return ''
  const scale = Math.max(1, Math.round(Math.min(width / 190, height / 140)))
  const margin = 4 * scale
  const columns = Math.max(3, Math.floor((width - 4 * margin) / (CELL_WIDTH * scale)))
  const lines = wrap(text, columns, 3)
  const panel_height = (lines.length * CELL_HEIGHT + 6) * scale
  const top = height - margin - panel_height
  return (
    `<rect x="${margin}" y="${top}" width="${width - 2 * margin}" height="${panel_height}" rx="${margin}" fill="#0d1520" opacity="${panelOpacity(settings, 0.72)}"/>` +
    letters(lines, 2 * margin, top + margin, scale, '#ffffff')
  )
}

function label(settings: SceneSettings): string {
  const { width, height, label: text } = settings
  const scale = Math.max(1, Math.floor(Math.min(width / 320, height / 200)))
  const columns = Math.floor((width - 8 * scale) / (CELL_WIDTH * scale))
  const lines = wrap(text, Math.max(3, columns), 1)
  const panel_width = ((lines[0]?.length ?? 0) * CELL_WIDTH + 5) * scale
  return (
    `<rect width="${panel_width}" height="${(CELL_HEIGHT + 4) * scale}" fill="#0d1520" opacity="${panelOpacity(settings, 0.5)}"/>` +
    letters(lines, 3 * scale, 3 * scale, scale, '#ffffff')
  )
}

function bar(width: number, height: number, progress: number): string {
  const thickness = Math.max(2, Math.round(height / 120))
  const top = height - thickness
  const strip = (length: number, fill: string) =>
    `<rect y="${top}" width="${length}" height="${thickness}" fill="${fill}"/>`
  return strip(width, '#0d1520') + strip(round(width * progress), '#ffffff')
}

const letters = (lines: string[], x: number, y: number, scale: number, fill: string): string =>
  `<path transform="translate(${x} ${y}) scale(${scale})" d="${lettersPath(lines)}" fill="${fill}" shape-rendering="crispEdges"/>`

/** A colour by hue; hues beyond a full turn come round again. */
export const colour = (hue: number, saturation: number, lightness: number): string =>
  `hsl(${Math.round(hue) % 360},${saturation}%,${lightness}%)`

const round = (length: number): number => Math.round(length * 10) / 10
