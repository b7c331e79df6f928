// The contact sheet without its drawing: every picture that it asks for is measured, pixel by pixel where that matters.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { askAll } from '../../scripts/contact_sheet/cases.ts'
import { openStudio } from '../../scripts/contact_sheet/studio.ts'

it('pictures of every format, size and kind are what was asked for, and edits change the hole alone', {
  timeout: 60_000,
}, async () => {
  const data_dir = await mkdtemp(join(tmpdir(), 'sw-contact-'))
  const studio = await openStudio(data_dir)
  try {
    const pictures = await askAll(studio)
    expect(pictures.length).toBeGreaterThan(35)
    expect(pictures.filter(({ faults }) => faults.length > 0).map(({ label, faults }) => ({ label, faults }))).toEqual(
      [],
    )
  } finally {
    await studio.close()
    await rm(data_dir, { recursive: true, force: true })
  }
})
