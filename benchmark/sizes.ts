import { statSync } from 'node:fs'
import { BUNDLES, type Bundle, foldersOf } from '../scripts/bundles.ts'

/** A size of a bundle, in bytes, beside its limit. */
export interface Size {
  what: string
  bytes: number
  limit: number
}

/** The most bytes of the archive (compressed) that a job downloads for any of the three actions. */
export const MAX_DOWNLOAD_BYTES = 128 * 1024

const bytesOf = (folder: string) => statSync(new URL(`../dist/${folder}/index.js`, import.meta.url)).size
const total = (folders: string[]) => folders.map(bytesOf).reduce((sum, bytes) => sum + bytes, 0)

/** What each entry of `bundle` loads, shared code included, and what all its files hold. */
export function sizesOf(bundle: Bundle): Size[] {
  const folders = foldersOf(bundle)
  const shared = folders.filter((folder) => folder === bundle.shared)
  return [
    ...Object.keys(bundle.entries).map((entry) => ({
      what: `bytes that ${entry} loads`,
      bytes: total([entry, ...shared]),
      limit: bundle.maxLoaded,
    })),
    { what: `bytes in ${folders.join(', ')}`, bytes: total(folders), limit: bundle.maxTotal },
  ]
}

/** The sizes of everything in `dist`. */
export const sizes = (): Size[] => Object.values(BUNDLES).flatMap(sizesOf)
