const ISO_8601 = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:?\d\d)?$/

/**
 * The instant that an ISO 8601 text names, in milliseconds since 1970, or null where it names none. The API gives one
 * instant back in many spellings (`.123Z`, `.123000Z`, `+01:00`), so instants are compared, never texts; finer digits
 * stay as a fraction of a millisecond, so that `.123456Z` does not pass for `.123Z`. Without an offset, it is UTC.
 */
export function parseInstant(text: unknown): number | null {
  const [, day, time, fraction = '', zone = 'Z'] = (typeof text === 'string' && ISO_8601.exec(text)) || []
  if (!day || !time) return null
  const seconds = Date.parse(`${day}T${time}${zone.replace(/^([+-]\d\d)(\d\d)$/, '$1:$2')}`)
  return Number.isNaN(seconds) ? null : seconds + Number(`0.${fraction || 0}`) * 1000
}

/** ISO 8601 in UTC, to the millisecond. */
export function formatInstant(instant: number): string {
  return new Date(instant).toISOString()
}
