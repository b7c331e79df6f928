// Which Node runs our programs: the one we are on if it is new enough, else the one that the `node` package pins.
// It never runs anything.
import { join, sep } from 'node:path'

/** The first major version that strips types without a flag and has the node:sqlite we use. */
const OLDEST_MAJOR = 24

/** The path of the pinned Node, whether or not it is there yet. */
export function pinnedNode(root) {
  return join(root, 'node_modules', 'node', 'bin', process.platform === 'win32' ? 'node.exe' : 'node')
}

/**
 * Whether the Node at `path`, of `version`, can be relied on to run our code. A Node inside node_modules cannot, however
 * new: npm puts the pinned one first on PATH, and an install takes it away under our feet.
 */
export function runsOurCode({ version, path, root }) {
  return Number.parseInt(version, 10) >= OLDEST_MAJOR && !path.startsWith(join(root, 'node_modules') + sep)
}
