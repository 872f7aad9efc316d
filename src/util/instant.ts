/**
 * What a field of the API says about a time. Unreadable is not the same as absent: the message must say which. The
 * API writes one instant in many spellings (`.123Z`, `.123000+01:00`), so compare instants, never texts.
 */
export type ApiTime =
  /** Milliseconds since 1970; microseconds are kept as a fraction. */
  { kind: 'instant'; at: number } | { kind: 'absent' } | { kind: 'unreadable'; text: string }

/** Some servers write it for no time at all. */
const YEAR_ONE = /^0001-?01-?01/
const DATE = String.raw`(19[7-9]\d|[2-9]\d{3})-?(?:(\d\d)-?(\d\d)|W(\d\d)-?([1-7])|(\d{3}))`
const TIME = String.raw`[Tt ](\d\d)(?::?(\d\d)(?::?(\d\d))?)?(?:[.,](\d+))?`
const ZONE = String.raw`(?: ?(?:(Z|UTC|GMT)|([+\-\u2212])(\d\d)(?::?(\d\d))?))?`
const ISO_8601 = new RegExp(`^${DATE}(?:${TIME}${ZONE})?$`, 'i')
const NUMBER = /^\d{9,13}(?:\.\d+)?$/

const MINUTE_MS = 60_000
const DAY_MS = 24 * 60 * MINUTE_MS

/** Any ISO 8601 or RFC 3339 spelling (UTC without an offset), or seconds or milliseconds since 1970. */
export function parseTime(value: unknown): ApiTime {
  if (value === null || value === undefined || value === '') return { kind: 'absent' }
  const text = typeof value === 'object' ? 'an object' : String(value).trim()
  if (YEAR_ONE.test(text)) return { kind: 'absent' }
  const at = NUMBER.test(text) ? fromEpoch(Number(text)) : fromIso(text)
  return at === null ? { kind: 'unreadable', text: text.slice(0, 40) } : { kind: 'instant', at }
}

function fromEpoch(value: number): number {
  return value < 1e11 ? value * 1000 : value
}

function fromIso(text: string): number | null {
  const found = ISO_8601.exec(text)
  if (!found) return null
  const [, year = '', month, day, week, weekday, ordinal, ...rest] = found
  const [hour = '0', minute, second, fraction, , sign, zoneHour = '0', zoneMinute = '0'] = rest
  const midnight = week
    ? fromWeek(Number(year), Number(week), Number(weekday))
    : Date.UTC(Number(year), month ? Number(month) - 1 : 0, Number(day ?? ordinal))
  // Date.UTC turns February 30 into March 2.
  const isRealDay = !month || new Date(midnight).toISOString().slice(5, 10) === `${month}-${day}`
  const parts = [Number(hour), Number(minute ?? 0), Number(second ?? 0)] as const
  if (!isRealDay || !isRealTime(...parts)) return null
  const unit = second ? 1000 : minute ? MINUTE_MS : 60 * MINUTE_MS
  const offset = (Number(zoneHour) * 60 + Number(zoneMinute)) * MINUTE_MS * (sign === '+' || !sign ? 1 : -1)
  const time = parts[0] * 3_600_000 + parts[1] * MINUTE_MS + parts[2] * 1000
  return midnight + time - offset + Number(`0.${fraction ?? 0}`) * unit
}

function isRealTime(hour: number, minute: number, second: number): boolean {
  // 60 is a leap second; 24:00 is the end of a day.
  return (hour < 24 && minute < 60 && second <= 60) || (hour === 24 && minute + second === 0)
}

/** ISO week 1 contains January 4. */
function fromWeek(year: number, week: number, weekday: number): number {
  const fourth = Date.UTC(year, 0, 4)
  const monday = fourth - ((new Date(fourth).getUTCDay() + 6) % 7) * DAY_MS
  return monday + ((week - 1) * 7 + weekday - 1) * DAY_MS
}

/** To the millisecond. */
export function formatInstant(instant: number): string {
  return new Date(instant).toISOString()
}

/** As many decimals (0, 3 or 6) as `instant` needs. */
export function formatExactly(instant: number): string {
  const micros = Math.round(instant * 1000)
  const rest = micros % 1000
  const text = formatInstant((micros - rest) / 1000)
  if (rest !== 0) return text.replace('Z', `${String(rest).padStart(3, '0')}Z`)
  return text.replace('.000Z', 'Z')
}
