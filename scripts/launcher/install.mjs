// Brings node_modules in step with package-lock.json, and does nothing in a few milliseconds when it already is.
// npm's own output goes to stderr. It never changes package.json or the lockfile.
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { runChild } from './child.mjs'
import { withLock } from './lock.mjs'
import { pinnedNode } from './node.mjs'

/** npm's own pauses between retries make a machine without a network wait 70 seconds to be told so; these make it 5. */
const NPM_OPTIONS = ['--loglevel=error', '--fetch-retry-mintimeout=1000', '--fetch-retry-factor=4']

/** An install that did not work; the message is the one line that the user reads. */
export class InstallError extends Error {}

function readJson(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch (error) {
    if (error.code === 'ENOENT' || error instanceof SyntaxError) return undefined
    throw error
  }
}

/** The packages that must be there, each with its version (undefined where there is no lockfile to say it). */
function wantedPackages(root, dev) {
  const lock = readJson(join(root, 'package-lock.json'))
  if (lock) {
    return Object.entries(lock.packages)
      .filter(([path, entry]) => path !== '' && !entry.optional && (dev || !(entry.dev || entry.devOptional)))
      .map(([path, entry]) => [path, entry.version])
  }
  const manifest = readJson(join(root, 'package.json')) ?? {}
  const names = Object.keys({ ...manifest.dependencies, ...(dev ? manifest.devDependencies : {}) })
  return names.map((name) => [`node_modules/${name}`, undefined])
}

/** npm writes node_modules/.package-lock.json last of all, so an install that was cut short is never in step. */
function inStep(root, dev) {
  const installed = readJson(join(root, 'node_modules', '.package-lock.json'))?.packages
  if (!installed) return false
  return wantedPackages(root, dev).every(
    ([path, version]) => installed[path] && (version === undefined || installed[path].version === version),
  )
}

/** Runs one command with its output on our stderr. Resolves to the signal that cut it short, if one did. */
async function runStep(what, command, commandArguments, folder) {
  const options = { cwd: folder, stdio: ['ignore', 2, 2], shell: process.platform === 'win32' }
  const ended = await runChild(command, commandArguments, options).catch((error) => {
    throw new InstallError(`cannot run ${what} (${error.message}): is npm installed and on the PATH?`)
  })
  if (ended.received) return ended.received
  if (ended.code === 0) return undefined
  throw new InstallError(
    `${what} failed (${ended.signal ?? `exit code ${ended.code}`}): check the network and \`npm config get registry\`, then run the same command again`,
  )
}

function installPackages(root, dev, say) {
  const command = existsSync(join(root, 'package-lock.json')) ? 'ci' : 'install'
  say(`installing packages with npm ${command}; once, about half a minute ...`)
  return runStep(`npm ${command}`, 'npm', [command, dev ? '--include=dev' : '--omit=dev', ...NPM_OPTIONS], root)
}

/** npm may hold back install scripts, and this one fetches the pinned Node: so we run it ourselves. */
async function installPinnedNode(root, say) {
  say(`this is Node ${process.versions.node}; fetching the pinned one ...`)
  const folder = dirname(dirname(pinnedNode(root)))
  const runner = existsSync(process.execPath) ? process.execPath : 'node'
  const interrupted = await runStep('fetching Node', runner, ['installArchSpecificPackage.js'], folder)
  if (!interrupted && !existsSync(pinnedNode(root)))
    throw new InstallError('the `node` package has no Node for this machine: install Node 24 or later, then try again')
  return interrupted
}

/**
 * Installs what is missing. Resolves to a signal if one ended it early, else to undefined; throws InstallError.
 * `dev` asks for the development packages, `needsPinnedNode` for the Node that the `node` package brings.
 */
export async function ensureInstalled({ root, dev, needsPinnedNode, say }) {
  const nodeMissing = () => needsPinnedNode && !existsSync(pinnedNode(root))
  if (inStep(root, dev) && !nodeMissing()) return undefined

  const onWait = () => say('another start is installing packages; waiting for it ...')
  return withLock(join(root, '.installing'), onWait, async () => {
    let interrupted
    if (!inStep(root, dev)) interrupted = await installPackages(root, dev, say)
    if (!interrupted && nodeMissing()) interrupted = await installPinnedNode(root, say)
    return interrupted
  }).catch((error) => {
    if (error instanceof InstallError) throw error
    throw new InstallError(`cannot install packages in ${root}: ${error.message}`)
  })
}
