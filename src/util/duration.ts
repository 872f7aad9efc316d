const DAY_MS = 86_400_000
/** In milliseconds, in the order of DURATION. */
const UNITS = [1, 1000, 60_000, 3_600_000, DAY_MS, 7 * DAY_MS, 365.25 * DAY_MS]
const DURATION =
  /^(-?(?:\d+|\d*\.\d+)) *(?:(ms|msecs?|milliseconds?)|(s|secs?|seconds?)|(m|mins?|minutes?)|(h|hrs?|hours?)|(d|days?)|(w|weeks?)|(y|yrs?|years?))$/

/** Milliseconds, as the package `ms` reads it in lowercase. Null for any other text. */
export function parseDuration(text: string): number | null {
  const [, number, ...names] = DURATION.exec(text) ?? []
  const unit = UNITS[names.findIndex(Boolean)]
  return unit === undefined ? null : Number(number) * unit
}
