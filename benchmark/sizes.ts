import { statSync } from 'node:fs'

/** The files of dist: what both steps use is in a third, once. */
export const FILES = ['main', 'post', 'common'] as const

const KIB = 1024

/** The most bytes that each step may load, and that all of dist may hold. */
export const LIMITS = { main: 72 * KIB, post: 72 * KIB, together: 96 * KIB }

/** The bytes that each step loads, and those of all that a reader has to read, the common part once. */
export function sizes(): Record<keyof typeof LIMITS, number> {
  const [main, post, common] = FILES.map(
    (part) => statSync(new URL(`../dist/${part}/index.js`, import.meta.url)).size,
  ) as [number, number, number]
  return { main: main + common, post: post + common, together: main + post + common }
}
