import type { ApiFailure } from '../api/api-failure.ts'

/** Why the list could not be read, and what to do: `ifRejected` after a 401. */
export function whyNotListed({ message, status, notFromApi, retryable }: ApiFailure, ifRejected: string): string {
  if (status === 401 && !notFromApi) return `The API rejected api-key: ${message}. ${ifRejected}`
  const failed = `Could not list the keys of the account: ${message}.`
  if (notFromApi)
    return `${failed} Something in front of the API answered, so api-key was not checked. Check api-url, or run the job again later.`
  if (status === 404) return `${failed} Check api-url.`
  return retryable ? `${failed} Run the job again later, or raise timeout.` : failed
}
