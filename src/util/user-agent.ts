/** The action's name and version, as the API sees them in User-Agent; a test keeps them those of package.json. */
export const ACTION = 'spherescout-ephemeral-key'
export const VERSION = '1.0.0'

/**
 * The User-Agent of one run, so that the account's owner can trace a key to it: `owner/repo` and the run's id, less
 * what cannot stand in a header.
 */
export function userAgent(repository: string | undefined, runId: string | undefined): string {
  const sanitize = (part: string | undefined) => (part ?? '').replace(/[^\w./-]/g, '') || 'unknown'
  return `${ACTION}/${VERSION} (${sanitize(repository)}; run ${sanitize(runId)})`
}
