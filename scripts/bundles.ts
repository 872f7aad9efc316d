const KIB = 1024

/** What one action loads from `dist`. */
export interface Bundle {
  /** Each folder of `dist`, and the file of `src` that becomes its `index.js`, without the extension. */
  entries: Record<string, string>
  /** The folder of `dist` for the code that all entries share. Needed where there is more than one entry. */
  shared?: string
  /** The most bytes that one entry may load, shared code included. */
  maxLoaded: number
  /** The most bytes in all files of this bundle. */
  maxTotal: number
}

/**
 * The bundles in `dist`. Each is built by a Rollup run of its own, so adding one does not change a byte of another. The
 * build, `check-dist`, the tests of `dist` and the benchmark follow this list. To add an action, add one line here:
 *
 *   audit: { entries: { audit: 'audit' }, maxLoaded: 64 * KIB, maxTotal: 64 * KIB },
 *
 * or, with a post step (`rotate/index.js`, `rotate/post/index.js`, and what they share in `rotate/lib/index.js`):
 *
 *   rotate: {
 *     entries: { rotate: 'rotate', 'rotate/post': 'rotate-post' },
 *     shared: 'rotate/lib',
 *     maxLoaded: 200 * KIB,
 *     maxTotal: 200 * KIB,
 *   },
 *
 * `audit/action.yml` then says `main: ../dist/audit/index.js`, and `ACCEPTED` in `__tests__/repository/dist.test.ts`
 * lists the files of packages that the bundle may contain.
 */
export const BUNDLES = {
  root: {
    entries: { main: 'main', post: 'post' },
    shared: 'lib',
    maxLoaded: 72 * KIB,
    maxTotal: 96 * KIB,
  },
  audit: { entries: { audit: 'audit' }, maxLoaded: 64 * KIB, maxTotal: 64 * KIB },
  rotate: {
    entries: { rotate: 'rotate', 'rotate/post': 'rotate-post' },
    shared: 'rotate/lib',
    maxLoaded: 200 * KIB,
    maxTotal: 200 * KIB,
  },
} satisfies Record<string, Bundle>

/** The packages whose used parts go into the bundles. Of the others, nothing does: the build fails if one is needed. */
export const BUNDLED_PACKAGES = ['@noble/ciphers', '@noble/hashes']

/** The folders of `dist` that hold the files of `bundle`. */
export function foldersOf({ entries, shared }: Bundle): string[] {
  return [...Object.keys(entries), ...(shared === undefined ? [] : [shared])]
}
