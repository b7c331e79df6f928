// Lets an adapter that lies outside this checkout import what one inside can: zod, the SDKs, and the contract and
// protocols as `switchyard/src/…`. It changes nothing for any other file.
import { existsSync, realpathSync } from 'node:fs'
import { registerHooks } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const HOME = pathToFileURL(`${join(import.meta.dirname, '..', '..')}/`)
const OWN_NAME = 'switchyard/'
const folders = new Set<string>()
let hooked = false

/** From now on, for files of these folders (by their real paths, which is how modules are named). Repeating it is harmless. */
export function letPluginsImport(from: readonly string[]): void {
  for (const folder of from) {
    const url = pathToFileURL(`${existsSync(folder) ? realpathSync(folder) : folder}/`).href
    if (!url.startsWith(HOME.href)) folders.add(url)
  }
  if (hooked || folders.size === 0) return
  hooked = true
  registerHooks({
    resolve(specifier, context, nextResolve) {
      const isPlugin = [...folders].some((folder) => context.parentURL?.startsWith(folder))
      if (!isPlugin || /^[./]|^[a-z]+:/.test(specifier)) return nextResolve(specifier, context)
      if (specifier.startsWith(OWN_NAME))
        return nextResolve(new URL(specifier.slice(OWN_NAME.length), HOME).href, context)
      try {
        return nextResolve(specifier, context)
      } catch (error) {
        if (!(error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND')) throw error
        return nextResolve(specifier, { ...context, parentURL: new URL('package.json', HOME).href })
      }
    },
  })
}
