/** A test compares both with package.json. */
export const ACTION = 'spherescout-ephemeral-key'
export const VERSION = '1.0.0'

/** Lets SphereScout trace a request to its run. */
export function userAgent({ GITHUB_REPOSITORY, GITHUB_RUN_ID }: NodeJS.ProcessEnv): string {
  const sanitize = (part: string | undefined) => (part ?? '').replace(/[^\w./-]/g, '') || 'unknown'
  return `${ACTION}/${VERSION} (${sanitize(GITHUB_REPOSITORY)}; run ${sanitize(GITHUB_RUN_ID)})`
}
