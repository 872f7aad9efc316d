const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
/** The units in the order of their names in DURATION, in milliseconds. */
const UNITS = [1, SECOND, MINUTE, HOUR, DAY, 7 * DAY, 365.25 * DAY]
const DURATION =
  /^(-?(?:\d+|\d*\.\d+)) *(?:(ms|msecs?|milliseconds?)|(s|secs?|seconds?)|(m|mins?|minutes?)|(h|hrs?|hours?)|(d|days?)|(w|weeks?)|(y|yrs?|years?))$/i

/**
 * The duration that a text such as `90s`, `15m` or `1.5 hours` names, in milliseconds, or null where it names none:
 * one number with one unit, as the package `ms` reads it (a test holds the two side by side).
 */
export function parseDuration(text: string): number | null {
  const [, number, ...names] = DURATION.exec(text) ?? []
  const unit = UNITS[names.findIndex((name) => name !== undefined)]
  return unit === undefined ? null : Number(number) * unit
}
