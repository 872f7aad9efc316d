import { isStored } from '../api/parse-response.ts'
import type { HttpClient } from '../http/http-client.ts'

/** A client that remembers by how much the last `Date` differed from this machine's clock, however much that is. */
export interface DateWatch {
  send: HttpClient
  /** In milliseconds; null if no response had a `Date`. */
  difference(): number | null
}

/** Watches the responses to `send`. A key API call leaves out a `Date` that is more than a day off, as if there were none. */
export function watchDate(send: HttpClient, now: () => number): DateWatch {
  let last: number | null = null
  return {
    async send(request) {
      const response = await send(request)
      const difference = Date.parse(response.headers.date ?? '') - now()
      if (!Number.isNaN(difference) && !isStored(response.headers)) last = difference
      return response
    },
    difference: () => last,
  }
}
