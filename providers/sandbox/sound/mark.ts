// The spoken text, written into a sound file as its comment and found again, so that what the sandbox speaks it can
// transcribe. Looks for the bytes themselves, whatever the format around them.

const MARK = 'Spoken by the Switchyard sandbox: '
const LONGEST_MARK_BYTES = 65_536

/** The comment to write: the mark and the text as a JSON string, which shows where it ends. */
export const markFor = (text: string): string => MARK + JSON.stringify(text)

export function findMarked(file: Uint8Array): string | undefined {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.byteLength)
  const at = bytes.indexOf(MARK)
  if (at === -1) return undefined
  const after = bytes.toString('utf8', at + MARK.length, at + MARK.length + LONGEST_MARK_BYTES)
  const quoted = /^"(?:[^"\\]|\\.)*"/.exec(after)?.[0]
  try {
    return quoted === undefined ? undefined : String(JSON.parse(quoted))
  } catch {
    // A file that only looks like one of ours: it is transcribed as any other.
    return undefined
  }
}
