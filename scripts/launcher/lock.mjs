// Lets one process at a time install packages. The lock is a folder with a file of its owner's in it; a dead owner is told
// by the folder's clock standing still. It never looks at process ids: in a container every start has the same one.
import { mkdirSync, readdirSync, rmdirSync, rmSync, statSync, unlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const HEARTBEAT_MS = 500
const POLL_MS = 200
/** Counted in our own polls, not in time, so that a laptop that wakes up does not take its sleeping owner for dead. */
const POLLS_UNTIL_DEAD = 25

const tolerate = (code, action) => {
  try {
    return action()
  } catch (error) {
    if (error.code !== code) throw error
    return undefined
  }
}

function take(folder, mark) {
  try {
    mkdirSync(folder)
  } catch (error) {
    if (error.code === 'EEXIST') return false
    throw error
  }
  writeFileSync(join(folder, mark), '')
  return true
}

/** What another owner's lock looks like now: its marks and its last heartbeat. */
function look(folder) {
  return tolerate('ENOENT', () => ({ marks: readdirSync(folder), beat: statSync(folder).mtimeMs }))
}

/** Clears a dead owner's lock. Of several who try, only the one that removes the mark goes on to remove the folder. */
function clear(folder, marks) {
  for (const mark of marks) {
    try {
      unlinkSync(join(folder, mark))
    } catch (error) {
      if (error.code === 'ENOENT') return
      throw error
    }
  }
  tolerate('ENOENT', () => tolerate('ENOTEMPTY', () => rmdirSync(folder)))
}

async function waitAndTake(folder, mark, onWait) {
  let before
  let unchanged = 0
  for (let polls = 0; !take(folder, mark); polls++) {
    if (polls === 1) onWait()
    const now = look(folder)
    unchanged = now && before && now.beat === before.beat ? unchanged + 1 : 0
    before = now
    if (now && unchanged >= POLLS_UNTIL_DEAD) {
      clear(folder, now.marks)
      unchanged = 0
    } else await sleep(POLL_MS)
  }
}

/** Runs `work` while holding the lock `folder`; `onWait` is called once if somebody else holds it. */
export async function withLock(folder, onWait, work) {
  const mark = crypto.randomUUID()
  await waitAndTake(folder, mark, onWait)
  const heartbeat = setInterval(
    () => tolerate('ENOENT', () => utimesSync(folder, new Date(), new Date())),
    HEARTBEAT_MS,
  )
  try {
    return await work()
  } finally {
    clearInterval(heartbeat)
    rmSync(join(folder, mark), { force: true })
    // Not empty or gone: we were taken for dead, and the lock is somebody else's now.
    tolerate('ENOENT', () => tolerate('ENOTEMPTY', () => rmdirSync(folder)))
  }
}
