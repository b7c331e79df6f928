// `npm run contact-sheet [folder]`: asks a router of its own for pictures of every kind (formats, sizes, edits, masks,
// thumbnails) and lays them on one labelled sheet to be looked at, with a JSON file of what was measured. Exit code 1
// where something is not as it must be. It calls nobody but its own router on the loopback interface.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { askAll } from './contact_sheet/cases.ts'
import { drawSheet } from './contact_sheet/sheet.ts'
import { openStudio } from './contact_sheet/studio.ts'

const out = resolve(process.argv[2] ?? join(tmpdir(), 'switchyard-contact-sheet'))
const data_dir = await mkdtemp(join(tmpdir(), 'sw-contact-'))
const studio = await openStudio(data_dir)
try {
  const pictures = await askAll(studio)
  await mkdir(out, { recursive: true })
  await writeFile(join(out, 'contact-sheet.png'), await drawSheet(pictures))
  const facts = pictures.map(({ bytes, ...rest }) => ({ ...rest, bytes: bytes.length }))
  await writeFile(join(out, 'contact-sheet.json'), `${JSON.stringify(facts, null, 2)}\n`)
  const faults = pictures.flatMap(({ label, faults }) => faults.map((fault) => `${label}: ${fault}`))
  process.stdout.write(`${pictures.length} pictures in ${join(out, 'contact-sheet.png')}\n`)
  for (const fault of faults) process.stdout.write(`wrong: ${fault}\n`)
  if (faults.length > 0) process.exitCode = 1
} finally {
  await studio.close()
  await rm(data_dir, { recursive: true, force: true })
}
