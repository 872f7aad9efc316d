import type { ServerTime } from './brands.ts'

/** Some servers write these for no time. */
const NO_TIME = /^(0001-?01-?01|9999-?12-?31)/
const DAY = String.raw`(?:(?<month>0[1-9]|1[0-2])-?(?<day>\d\d)|W(?<week>\d\d)-?(?<weekday>[1-7])|(?<ordinal>\d{3}))`
const TIME = String.raw`(?<hour>[01]\d|2[0-4])(?::?(?<minute>[0-5]\d)(?::?(?<second>[0-5]\d|60))?)?`
const FRACTION = String.raw`(?:[.,](?<fraction>\d+))?`
const ZONE = String.raw`(?: ?(?:Z|UTC|GMT|(?<sign>[+\-\u2212])(?<zoneHour>\d\d)(?::?(?<zoneMinute>\d\d))?))?`
const ISO_8601 = new RegExp(String.raw`^(?<year>19[7-9]\d|[2-9]\d{3})-?${DAY}(?:[T ]${TIME}${FRACTION}${ZONE})?$`)
const NUMBER = /^\d{9,13}(?:\.\d+)?$/

const MINUTE_MS = 60_000

/** Any ISO 8601 or RFC 3339 spelling (UTC without an offset), or seconds or milliseconds since 1970. */
export function parseTime(value: unknown): { at: ServerTime | null; unreadable: string | null } {
  if (value === null || value === undefined || value === '') return { at: null, unreadable: null }
  const text = typeof value === 'object' ? 'an object' : String(value).trim()
  if (NO_TIME.test(text)) return { at: null, unreadable: null }
  const unit = Number(text) < 1e11 ? 1000 : 1
  const at = NUMBER.test(text) ? Number(text) * unit : fromIso(text)
  return { at, unreadable: at === null ? text.replace(/\w{20,}/g, '***').slice(0, 40) : null }
}

function fromIso(text: string): number | null {
  const { groups } = ISO_8601.exec(text.toUpperCase()) ?? {}
  if (!groups) return null
  const { month, week, minute, second, fraction = '0', sign = '+' } = groups
  const part = (name: string) => Number(groups[name] ?? 0)
  const day = week ? dayOfWeek(part('year'), part('week'), part('weekday')) : part(month ? 'day' : 'ordinal')
  const midnight = Date.UTC(part('year'), month ? part('month') - 1 : 0, day)
  // Date.UTC turns February 30 into March 2.
  const isRealDay = !month || new Date(midnight).getUTCDate() === day
  // 24:00 is the end of a day.
  const isRealTime = part('hour') < 24 || part('minute') + part('second') === 0
  if (!isRealDay || !isRealTime) return null
  const unit = second ? 1000 : minute ? MINUTE_MS : 60 * MINUTE_MS
  const offset = (part('zoneHour') * 60 + part('zoneMinute')) * (sign === '+' ? 1 : -1)
  const minutes = part('hour') * 60 + part('minute') - offset
  return midnight + minutes * MINUTE_MS + part('second') * 1000 + Number(`0.${fraction}`) * unit
}

/** From the beginning of the year. ISO week 1 contains January 4. */
function dayOfWeek(year: number, week: number, weekday: number): number {
  const fourth = new Date(Date.UTC(year, 0, 4)).getUTCDay() || 7
  return week * 7 + weekday - fourth - 3
}

/** As many decimals (0, 3 or 6) as `instant` needs. */
export function formatExactly(instant: number): string {
  const micros = Math.round(instant * 1000)
  const digits = String(micros % 1000).padStart(3, '0')
  const text = new Date(micros / 1000).toISOString().replace('Z', digits)
  return `${text.replace(/(\.000)?000$/, '')}Z`
}
