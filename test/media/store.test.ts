// Storage in a folder: whole files or none, under names that lead nowhere else, with errors that say what to do.
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtemp, readdir, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { StorageError } from '../../src/media/storage_error.ts'
import { openStorage, type Storage } from '../../src/media/store.ts'

let folder: string
let storage: Storage
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sw-files-'))
  storage = await openStorage(folder, '/nowhere')
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const KEY = 'acc_1/job_1/0.png'
const OPTIONS = { media_type: 'image/png', max_bytes: 1000 }

async function textOf(file: { body: Readable } | undefined) {
  const chunks: Buffer[] = []
  for await (const chunk of file?.body ?? []) chunks.push(chunk as Buffer)
  return file && Buffer.concat(chunks).toString()
}

async function* chunks(...texts: string[]) {
  for (const text of texts) yield Buffer.from(text)
}

describe('put', () => {
  it('keeps bytes and streams, and says size and hash', async () => {
    const stored = await storage.put(KEY, chunks('abc', 'def'), OPTIONS)
    const sha256 = createHash('sha256').update('abcdef').digest('hex')
    expect(stored).toEqual({ key: KEY, media_type: 'image/png', bytes: 6, sha256 })
    expect(await textOf(await storage.open(KEY))).toBe('abcdef')
    expect(await storage.put(KEY, Buffer.from('abcdef'), OPTIONS)).toEqual(stored)
    expect((await stat(join(folder, KEY))).mode & 0o777).toBe(0o600)
  })

  it('replaces the file of the same key at once: who reads the old one reads it to its end', async () => {
    await storage.put(KEY, Buffer.from('old'), OPTIONS)
    const before = await storage.open(KEY)
    await storage.put(KEY, Buffer.from('newer'), OPTIONS)
    expect([await textOf(before), await textOf(await storage.open(KEY))]).toEqual(['old', 'newer'])
  })

  it.each([
    ['too many bytes', () => Buffer.alloc(1001)],
    ['too long a stream', () => chunks('x'.repeat(600), 'x'.repeat(600))],
    [
      'a stream that breaks off',
      async function* () {
        yield Buffer.from('abc')
        throw new Error('broke off')
      },
    ],
  ])('leaves nothing of %s', async (_what, make) => {
    await expect(storage.put(KEY, make(), OPTIONS)).rejects.toThrow(/larger than 1000|broke off/)
    expect(await storage.open(KEY)).toBeUndefined()
    expect(await readdir(folder, { recursive: true })).toEqual(['.incoming'])
  })

  it('finds room for a job whose last file is removed at the same time', async () => {
    for (let round = 0; round < 30; round++) {
      await Promise.all([
        storage.put(KEY, Buffer.from('x'), OPTIONS),
        storage.remove('acc_1/job_1/1.png'),
        storage.removeAll('acc_1/job_2/'),
      ])
      await storage.remove(KEY)
    }
    expect(await readdir(join(folder, '.incoming'))).toEqual([])
  })
})

describe('keys', () => {
  it.each([
    '../../etc/cron.d/x',
    '/etc/passwd',
    'acc_1/job_1/../0.png',
    'acc_1/../../x.png',
    'acc_1/job_1/0.png\0.txt',
    'acc_1/job_1/.hidden',
    '.incoming/job_1/0.png',
    'acc_1/job_1/a/0.png',
    'acc_1/job_1/0.PNG/',
    'acc_1/job_1',
    'acc_1\\job_1\\0.png',
    '',
  ])('%j is refused everywhere', async (key) => {
    await expect(storage.put(key, Buffer.from('x'), OPTIONS)).rejects.toThrow('is not a key')
    await expect(storage.open(key)).rejects.toThrow('is not a key')
    await expect(storage.remove(key)).rejects.toThrow('is not a key')
    await expect(storage.removeAll(key)).rejects.toThrow('is neither')
  })

  it.each(['../', '/', 'acc_1', 'acc_1/job_1', 'acc_1/../', './', 'acc_1//'])(
    'nothing is removed under %j',
    async (prefix) => {
      await expect(storage.removeAll(prefix)).rejects.toThrow('is neither')
    },
  )

  it('lead to no file elsewhere, even where somebody put a link', async () => {
    await storage.put(KEY, Buffer.from('x'), OPTIONS)
    await writeFile(join(folder, 'secret'), 'secret')
    await symlink(join(folder, 'secret'), join(folder, 'acc_1/job_1/1.png'))
    await expect(storage.open('acc_1/job_1/1.png')).rejects.toBeInstanceOf(StorageError)
  })
})

describe('open', () => {
  it('reads a part, and always says the size of the whole', async () => {
    await storage.put(KEY, Buffer.from('0123456789'), OPTIONS)
    const part = await storage.open(KEY, { start: 2, end: 4 })
    expect([part?.bytes, await textOf(part)]).toEqual([10, '234'])
    expect(await textOf(await storage.open(KEY, { start: 8 }))).toBe('89')
  })

  it('answers undefined for what is not there', async () => {
    expect(await storage.open('acc_1/job_9/0.png')).toBeUndefined()
  })
})

describe('remove', () => {
  it('takes a file, its empty folder, a job or a whole account, and minds nothing that is gone', async () => {
    await storage.put(KEY, Buffer.from('x'), OPTIONS)
    await storage.remove(KEY)
    await storage.remove(KEY)
    expect(await readdir(join(folder, 'acc_1'))).toEqual([])
    await storage.put(KEY, Buffer.from('x'), OPTIONS)
    await storage.put('acc_1/job_2/0.png', Buffer.from('x'), OPTIONS)
    await storage.removeAll('acc_1/job_1/')
    expect(await readdir(join(folder, 'acc_1'))).toEqual(['job_2'])
    await storage.removeAll('acc_1/')
    await storage.removeAll('acc_1/')
    expect(await readdir(folder)).toEqual(['.incoming'])
  })
})

describe('openStorage', () => {
  it('takes the data folder where nothing else is said', async () => {
    await (await openStorage(undefined, folder)).put(KEY, Buffer.from('x'), OPTIONS)
    expect(await textOf(await (await openStorage(`file://${folder}/files`, '/nowhere')).open(KEY))).toBe('x')
  })

  it('says of S3 that it is not there yet, and of others that they are not known', async () => {
    await expect(openStorage('s3://bucket?endpoint=x', folder)).rejects.toThrow('s3:// is not supported yet')
    await expect(openStorage('ftp://host/x', folder)).rejects.toThrow('ftp:// is not known')
  })

  it('refuses a folder that it cannot write to, naming it and the remedy', async () => {
    await writeFile(join(folder, 'file'), '')
    const refused = openStorage(join(folder, 'file', 'below'), folder)
    await expect(refused).rejects.toThrow(/cannot be used for files: a part of its path is a file \(ENOTDIR\)/)
  })

  it('removes what a router that died left a day ago, and nothing younger', async () => {
    const [old, young] = ['old', 'young'].map((name) => join(folder, '.incoming', name)) as [string, string]
    await writeFile(old, 'x')
    await writeFile(young, 'x')
    await utimes(old, 1, 1)
    await openStorage(folder, '/nowhere')
    expect(await readdir(join(folder, '.incoming'))).toEqual(['young'])
  })
})

it('a disk that takes no more is said clearly and leaves no part of a file', async () => {
  // A limit on the size of files stands in for a full disk: writes fail in the middle in the same way.
  const program = `
    import { openStorage } from ${JSON.stringify(join(import.meta.dirname, '../../src/media/store.ts'))}
    const storage = await openStorage(${JSON.stringify(folder)}, '/nowhere')
    await storage.put('${KEY}', Buffer.alloc(3e6), { media_type: 'image/png', max_bytes: 1e7 })
      .catch((error) => console.log(error.name, error.message))`
  const shell = `ulimit -f 2048; exec ${process.execPath} --input-type=module -e "$PROGRAM"`
  const { stdout } = await promisify(execFile)('bash', ['-c', shell], { env: { ...process.env, PROGRAM: program } })
  expect(stdout).toBe(
    'StorageError A file cannot be stored: the system allows no file of this size; raise its limit (ulimit -f) (EFBIG).\n',
  )
  expect(await readdir(folder, { recursive: true })).toEqual(['.incoming'])
})
