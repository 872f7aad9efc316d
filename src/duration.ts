const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
/** What each unit may be called, in the singular; the longer names have a plural too. */
const UNITS: [names: string, milliseconds: number][] = [
  ['ms|msecs?|milliseconds?', 1],
  ['s|secs?|seconds?', SECOND],
  ['m|mins?|minutes?', MINUTE],
  ['h|hrs?|hours?', HOUR],
  ['d|days?', DAY],
  ['w|weeks?', 7 * DAY],
  ['y|yrs?|years?', 365.25 * DAY],
]

/**
 * The duration that a text such as `90s`, `15m` or `1.5 hours` names, in milliseconds, or null where it names none:
 * one number with one unit, as the package `ms` reads it (a test holds the two side by side).
 */
export function parseDuration(text: string): number | null {
  const [, number, name] = /^(-?(?:\d+|\d*\.\d+)) *([a-z]+)$/i.exec(text) ?? []
  const unit = UNITS.find(([names]) => new RegExp(`^(${names})$`, 'i').test(name ?? ''))
  return unit === undefined ? null : Number(number) * unit[1]
}
