// What is wrong with a file that an operator wrote, and names that come close to a wrong one. Pure; it never prints.

export interface Fault {
  /** As the operator knows it: `pricing/acme.toml`. */
  file: string
  /** Where in the file: `models."acme/film-2".operation`; empty for the file as a whole. */
  place: string
  problem: string
  remedy: string
}

/** One line: file, place, what is wrong; what to do. */
export function faultLine({ file, place, problem, remedy }: Fault): string {
  return `${[file, place].filter(Boolean).join(' ')}: ${problem}${remedy ? `; ${remedy}` : ''}`
}

/** The names closest to a wrong one, best first, at most `most`; none that would only puzzle. */
export function nearestNames(wrong: string, names: Iterable<string>, most = 3): string[] {
  const asked = wrong.slice(0, 100).toLowerCase()
  const tolerance = Math.max(2, Math.floor(asked.length / 3))
  return [...names]
    .map((name) => ({ name, distance: distanceTo(asked, name.toLowerCase(), tolerance) }))
    .filter(({ distance }) => distance <= tolerance)
    .sort((a, b) => a.distance - b.distance || (a.name < b.name ? -1 : 1))
    .slice(0, most)
    .map(({ name }) => name)
}

/** `; did you mean "video"?` in the words of a remedy, or the whole list where nothing is close. */
export function didYouMean(wrong: string, names: readonly string[]): string {
  const [best] = nearestNames(wrong, names, 1)
  return best === undefined ? `use one of ${names.join(', ')}` : `did you mean "${best}"?`
}

/** Edits that turn one text into the other; a part that continues the other costs one, so that a beginning is close. */
function distanceTo(asked: string, name: string, tolerance: number): number {
  if (asked.length >= 3 && (name.startsWith(asked) || name.endsWith(asked))) return 1
  if (Math.abs(asked.length - name.length) > tolerance) return Number.POSITIVE_INFINITY
  let row = Array.from({ length: name.length + 1 }, (_, index) => index)
  for (let i = 1; i <= asked.length; i++) {
    const next = [i]
    for (let j = 1; j <= name.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (asked[i - 1] === name[j - 1] ? 0 : 1)
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[name.length] ?? 0
}
