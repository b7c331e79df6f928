/** Projections of find and findAndModify: which fields of a document to answer with. Expressions belong to `$project`. */
import { badValue, CommandError } from './errors.ts'
import { headOf, splitPath } from './paths.ts'
import { type Document, getField, isDocument, numberOf, setField } from './values.ts'

/** A tree of the named fields; `true` ends a path. */
type Tree = Map<string, Tree | true>

/** Undefined when everything is wanted. Throws BadValue for a mixture of inclusion and exclusion, or for an expression. */
export function compileProjection(projection: unknown): ((document: Document) => Document) | undefined {
  if (projection === undefined || projection === null) return undefined
  if (!isDocument(projection)) throw new CommandError('TypeMismatch', 'projection must be an object')
  const paths = Object.keys(projection)
  if (paths.length === 0) return undefined
  let including: boolean | undefined
  const tree: Tree = new Map()
  for (const path of paths) {
    const wanted = isWanted(path, projection[path])
    if (path !== '_id') {
      if (including !== undefined && including !== wanted) throw mixed(path, including)
      including = wanted
    }
    if (path !== '_id') plant(tree, path)
  }
  const with_id = '_id' in projection ? isWanted('_id', projection._id) : including !== false || undefined
  if (including === undefined) including = with_id === true
  if (including ? with_id === true : with_id === false) tree.set('_id', true)
  return including ? (document) => include(document, tree) : (document) => exclude(document, tree)
}

/** The top-level fields that an inclusion looks at, so that nothing else is decoded; undefined for an exclusion. */
export function fieldsOf(projection: unknown): ReadonlySet<string> | undefined {
  if (!isDocument(projection)) return undefined
  const wanted = Object.keys(projection).filter((path) => isWanted(path, projection[path]))
  return wanted.length === 0 ? undefined : new Set(['_id', ...wanted.map(headOf)])
}

function isWanted(path: string, value: unknown): boolean {
  if (path === '' || path.split('.').some((part) => part === '' || part.startsWith('$'))) {
    throw badValue(`The projection path '${path}' is not supported by this store`)
  }
  if (typeof value === 'boolean') return value
  const number = numberOf(value)
  if (number === undefined) throw badValue(`The projection of '${path}' must be a number or a boolean in this store`)
  return Number(number) !== 0
}

const mixed = (path: string, including: boolean): CommandError =>
  badValue(
    `Cannot do ${including ? 'exclusion' : 'inclusion'} on field ${path} in ${including ? 'inclusion' : 'exclusion'} projection`,
  )

function plant(tree: Tree, path: string): void {
  let node = tree
  const parts = splitPath(path)
  for (const [index, part] of parts.entries()) {
    const known = node.get(part)
    if (known === true || (known !== undefined && index === parts.length - 1))
      throw badValue(`Path collision at ${path}`)
    if (index === parts.length - 1) node.set(part, true)
    else {
      const next: Tree = known ?? new Map()
      node.set(part, next)
      node = next
    }
  }
}

function include(document: Document, tree: Tree): Document {
  const result: Document = {}
  for (const key of Object.keys(document)) {
    const branch = tree.get(key)
    if (branch === undefined) continue
    const value = getField(document, key)
    const kept = branch === true ? value : includeBelow(value, branch)
    if (kept !== undefined) setField(result, key, kept)
  }
  return result
}

/** Below a path only documents remain, those in arrays too. */
function includeBelow(value: unknown, tree: Tree): unknown {
  if (Array.isArray(value))
    return value.map((element) => includeBelow(element, tree)).filter((kept) => kept !== undefined)
  return isDocument(value) ? include(value, tree) : undefined
}

function exclude(document: Document, tree: Tree): Document {
  const result: Document = {}
  for (const key of Object.keys(document)) {
    const branch = tree.get(key)
    const value = getField(document, key)
    if (branch === undefined) setField(result, key, value)
    else if (branch !== true) setField(result, key, excludeBelow(value, branch))
  }
  return result
}

function excludeBelow(value: unknown, tree: Tree): unknown {
  if (Array.isArray(value)) return value.map((element) => excludeBelow(element, tree))
  return isDocument(value) ? exclude(value, tree) : value
}
