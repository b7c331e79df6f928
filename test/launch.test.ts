// The launcher, run for real in a small project of its own with a stand-in for npm on the PATH. Never installs anything.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

const scripts = join(import.meta.dirname, '../scripts')
const LOCK = {
  packages: {
    '': { dependencies: { koa: '3.3.0' }, devDependencies: { vitest: '5.1.0' } },
    'node_modules/koa': { version: '3.3.0' },
    'node_modules/vitest': { version: '5.1.0', dev: true },
    'node_modules/@img/sharp-darwin-arm64': { version: '0.35.5', optional: true },
  },
}

/** Installs like npm: chatters on stdout, puts a `node` package there whose script was held back, writes its lockfile last. */
const NPM = `#!/bin/sh
echo "$@" >> npm.log
echo 'npm chatter'
sleep 0.1
mkdir -p node_modules/node
cp bin/fetch-node.mjs node_modules/node/installArchSpecificPackage.js
cp package-lock.json node_modules/.package-lock.json
`
const FETCH_NODE = `import { mkdirSync, writeFileSync } from 'node:fs'
mkdirSync('bin')
writeFileSync('bin/node', '#!/bin/sh\\necho pinned', { mode: 0o755 })
`
const OLD_NODE =
  "data:text/javascript,Object.defineProperty(process,'versions',{value:{...process.versions,node:'20.20.2'}})"

let root: string

const write = (file: string, content: string | object, mode = 0o644) =>
  writeFileSync(join(root, file), typeof content === 'string' ? content : JSON.stringify(content), { mode })

const npmRuns = () => (existsSync(join(root, 'npm.log')) ? readFileSync(join(root, 'npm.log'), 'utf8').trim() : '')

function putInStep() {
  mkdirSync(join(root, 'node_modules'))
  write('node_modules/.package-lock.json', LOCK)
}

interface StartOptions {
  nodeFlags?: string[]
  environment?: Record<string, string>
}

function start(launcherArguments: string[], { nodeFlags = [], environment = {} }: StartOptions = {}): ChildProcess {
  return spawn(process.execPath, [...nodeFlags, join(root, 'scripts/launch.mjs'), ...launcherArguments], {
    cwd: root,
    env: { HOME: root, PATH: `${join(root, 'bin')}:/usr/bin:/bin`, ...environment },
  })
}

async function finish(child: ChildProcess) {
  if (!child.stdout || !child.stderr) throw new Error('the child was started without pipes')
  const [[code, signal], stdout, stderr] = await Promise.all([
    once(child, 'exit'),
    text(child.stdout),
    text(child.stderr),
  ])
  return { code, signal, stdout, stderr }
}

const launch = (launcherArguments: string[], options?: StartOptions) => finish(start(launcherArguments, options))

/** Resolves when the child has printed `word`, and to all it had printed by then. */
async function printed(child: ChildProcess, word: string): Promise<string> {
  let seen = ''
  for await (const chunk of child.stdout ?? []) {
    seen += chunk
    if (seen.includes(word)) return seen
  }
  throw new Error(`the child ended without printing ${word}: ${seen}`)
}

async function waitForFile(file: string) {
  while (!existsSync(join(root, file))) await sleep(20)
}

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'switchyard-launch-'))
  mkdirSync(join(root, 'bin'))
  cpSync(scripts, join(root, 'scripts'), { recursive: true })
  write('package-lock.json', LOCK)
  write('bin/npm', NPM, 0o755)
  write('bin/fetch-node.mjs', FETCH_NODE)
  write('package.json', { type: 'module' })
  write('hello.ts', 'const who: string = process.argv[2] ?? "nobody"\nconsole.log("hello", who)\n')
})

afterEach(() => rmSync(root, { recursive: true, force: true }))

describe('running a program', () => {
  beforeEach(putInStep)

  it('runs TypeScript with its arguments and says nothing itself', async () => {
    const ended = await launch(['hello.ts', 'world'])
    expect(ended).toEqual({ code: 0, signal: null, stdout: 'hello world\n', stderr: '' })
    expect(npmRuns()).toBe('')
  })

  it('gives flags before the program to Node', async () => {
    write('flags.ts', 'console.log(process.title)')
    expect((await launch(['--title=yard', 'flags.ts'])).stdout).toBe('yard\n')
  })

  it('keeps quiet about experimental parts of Node that we use', async () => {
    write('sqlite.ts', "import 'node:sqlite'")
    expect((await launch(['sqlite.ts'])).stderr).toBe('')
  })

  it("ends with the program's exit code", async () => {
    write('exit.ts', 'process.exit(7)')
    expect((await launch(['exit.ts'])).code).toBe(7)
  })

  it('ends by the signal that ended the program', async () => {
    write('killed.ts', "process.kill(process.pid, 'SIGKILL')")
    expect((await launch(['killed.ts'])).signal).toBe('SIGKILL')
  })

  it('says which program is not there', async () => {
    const ended = await launch(['src/nothing.ts'])
    expect(ended.code).toBe(1)
    expect(ended.stderr).toBe(`switchyard: there is no ${join(root, 'src/nothing.ts')}\n`)
  })

  it.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)('passes %s on once and waits for the program', async (signal) => {
    write(
      'slow.ts',
      `process.on('${signal}', () => { console.log('got it'); setTimeout(() => process.exit(5), 200) })
       setInterval(() => {}, 1000)
       console.log('ready')`,
    )
    const child = start(['slow.ts'])
    const output = printed(child, 'got it')
    const ended = once(child, 'exit')
    await waitForReady(child)
    child.kill(signal)
    child.kill(signal)
    expect(await output).toBe('ready\ngot it\n')
    expect(await ended).toEqual([5, null])
  })

  it('stops its program when the npm that started it is killed outright', async () => {
    write(
      'orphan.ts',
      `import { writeFileSync } from 'node:fs'
       process.on('SIGTERM', () => { writeFileSync('stopped', ''); process.exit() })
       setInterval(() => {}, 1000)
       console.log('ready')`,
    )
    const npm = spawn('sh', ['-c', `"${process.execPath}" scripts/launch.mjs orphan.ts & wait`], {
      cwd: root,
      env: { PATH: process.env.PATH, npm_lifecycle_event: 'start' },
    })
    await waitForReady(npm)
    npm.kill('SIGKILL')
    await waitForFile('stopped')
  })
})

describe('installing', () => {
  it('installs what is missing, with everything it and npm say on stderr', async () => {
    const ended = await launch(['hello.ts', 'world'])
    expect(ended).toMatchObject({ code: 0, stdout: 'hello world\n' })
    expect(ended.stderr).toMatch(/^switchyard: installing packages with npm ci; .+\nnpm chatter\n$/)
    expect(npmRuns()).toMatch(/^ci --include=dev /)
    expect(existsSync(join(root, '.installing'))).toBe(false)
  })

  it('installs again when the lockfile names another version, and then no more', async () => {
    putInStep()
    write('package-lock.json', { packages: { ...LOCK.packages, 'node_modules/koa': { version: '3.3.1' } } })
    await launch(['hello.ts'])
    await launch(['hello.ts'])
    expect(npmRuns().split('\n')).toHaveLength(1)
  })

  it('leaves out development packages in production, unless the program needs them', async () => {
    const environment = { NODE_ENV: 'production' }
    await launch(['hello.ts'], { environment })
    write('node_modules/.package-lock.json', { packages: { 'node_modules/koa': { version: '3.3.0' } } })
    await launch(['hello.ts'], { environment })
    await launch(['--dev', 'hello.ts'], { environment })
    expect(npmRuns()).toMatch(/^ci --omit=dev .+\nci --include=dev .+$/)
  })

  it('uses npm install where there is no lockfile', async () => {
    rmSync(join(root, 'package-lock.json'))
    write('package.json', { dependencies: { koa: '3.3.0' } })
    write('bin/npm', '#!/bin/sh\necho "$@" >> npm.log\n', 0o755)
    await launch(['hello.ts'])
    expect(npmRuns()).toMatch(/^install --include=dev/)
  })

  it('says in one line that the install failed, and exits with 1', async () => {
    write('bin/npm', '#!/bin/sh\nexit 243\n', 0o755)
    const ended = await launch(['hello.ts'])
    expect(ended).toMatchObject({ code: 1, stdout: '' })
    expect(ended.stderr.trim().split('\n').at(-1)).toMatch(
      /^switchyard: npm ci failed \(exit code 243\): check the network/,
    )
    expect(existsSync(join(root, '.installing'))).toBe(false)
  })

  it('installs once when two start at the same time', async () => {
    const both = await Promise.all([launch(['hello.ts', 'one']), launch(['hello.ts', 'two'])])
    expect(both.map((ended) => ended.stdout).sort()).toEqual(['hello one\n', 'hello two\n'])
    expect(npmRuns().split('\n')).toHaveLength(1)
  })

  it('takes over from an install whose owner is dead', async () => {
    mkdirSync(join(root, '.installing'))
    write('.installing/dead', '')
    const ended = await launch(['hello.ts'])
    expect(ended.stdout).toBe('hello nobody\n')
    expect(ended.stderr).toContain('another start is installing packages')
  }, 30_000)
})

describe('choosing a Node', () => {
  it('fetches and uses the pinned one where its own is too old, even if npm held back its script', async () => {
    const ended = await launch(['hello.ts'], { nodeFlags: ['--import', OLD_NODE] })
    expect(ended.stderr).toContain('switchyard: this is Node 20.20.2; fetching the pinned one')
    expect(ended.stdout).toBe('pinned\n')
  })

  it('says what to do where there is no pinned Node for the machine', async () => {
    putInStep()
    mkdirSync(join(root, 'node_modules/node'))
    write('node_modules/node/installArchSpecificPackage.js', '')
    const ended = await launch(['hello.ts'], { nodeFlags: ['--import', OLD_NODE] })
    expect(ended).toMatchObject({ code: 1, stdout: '' })
    expect(ended.stderr).toContain('install Node 24 or later')
  })
})

/** Resolves at the program's first output, leaving the rest to others. */
async function waitForReady(child: ChildProcess) {
  if (child.stdout) await once(child.stdout, 'data')
}
