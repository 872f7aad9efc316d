import type { Answer } from './client.ts'

/** The clocks of a server, its database and this machine may be this far apart and count as one, in milliseconds. */
export const CLOCK_SLACK_MS = 60_000
const LATEST_DATE_MS = Date.UTC(9000, 0)

/**
 * The clocks that the API may go by, each as the milliseconds that it is ahead of this machine's: that of the Date
 * header alone if both agree to a minute; otherwise both, the earlier first, as a gateway may set the header.
 */
export function clocksOf({ headers, receivedAt }: Answer): readonly number[] {
  const date = Date.parse(headers.date ?? '')
  const ahead = date < LATEST_DATE_MS ? date - receivedAt : 0
  if (Math.abs(ahead) <= CLOCK_SLACK_MS) return [ahead]
  return ahead < 0 ? [ahead, 0] : [0, ahead]
}

/** A stretch of time by this machine's clock, in milliseconds since 1970. */
export interface Span {
  from: number
  to: number
}

/**
 * Whether an instant of the API's is in a span by one of its clocks. Only by the last clock may it be later than that:
 * by an earlier one, it would be in the past.
 */
export function isWithin(instant: number, { from, to }: Span, clocks: readonly number[]): boolean {
  return clocks.some((ahead, index) => {
    const isLast = index === clocks.length - 1
    const byThisMachine = instant - ahead
    return byThisMachine >= from - CLOCK_SLACK_MS && (isLast || byThisMachine <= to + CLOCK_SLACK_MS)
  })
}
