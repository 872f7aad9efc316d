/** The steps on which servers store an expiry: PostgreSQL 1 us, others 1 ms or 10 ms, SQL Server's `datetime` 1/300 s. */
export const GRIDS = ['1 us', '1 ms', '10 ms', '1/300 s', '1 s', '1 min'] as const
export type Grid = (typeof GRIDS)[number]
export type Rounding = 'floor' | 'round' | 'ceil'

/** Each step in microseconds. */
export const GRID_STEP_US: Record<Grid, number> = {
  '1 us': 1,
  '1 ms': 1_000,
  '10 ms': 10_000,
  '1/300 s': 1_000_000 / 300,
  '1 s': 1_000_000,
  '1 min': 60_000_000,
}

/** `instant` (ms since 1970, microseconds as a fraction) as it is stored on `grid`. SQL Server rounds, whatever is asked. */
export function quantize(instant: number, grid: Grid, rounding: Rounding = 'floor'): number {
  const micros = Math.round(instant * 1000)
  if (grid === '1/300 s') return Math.round((Math.round((micros * 3) / 10_000) * 10) / 3)
  const step = GRID_STEP_US[grid]
  return (Math[rounding](micros / step) * step) / 1000
}

/** The instant that a client asks for (ms since 1970, with microseconds), and how many digits its fraction has. */
export function readAsked(text: unknown): { instant: number; digits: number } | null {
  if (typeof text !== 'string') return null
  const digits = /\.(\d{1,6})/.exec(text)?.[1] ?? ''
  const whole = Date.parse(text.replace(/\.\d+/, ''))
  if (Number.isNaN(whole)) return null
  return { instant: (whole * 1000 + Number(digits.padEnd(6, '0'))) / 1000, digits: digits.length }
}

/** Spellings that ISO 8601 or RFC 3339 allow, or that common software prints, and which have to be read. */
export const READABLE_SPELLINGS = [
  'Z',
  'offset',
  '+00:00',
  '+0000',
  '+00',
  '+05:30',
  'lower case',
  'space',
  'short',
  'comma',
  'UTC',
  'basic',
  'epoch seconds',
  'epoch seconds text',
  'epoch milliseconds',
  'epoch milliseconds text',
] as const
/** Spellings that need not be read, only noticed. */
export const UNREADABLE_SPELLINGS = ['RFC 1123', 'in words'] as const
export type Spelling = (typeof READABLE_SPELLINGS)[number] | (typeof UNREADABLE_SPELLINGS)[number]

export interface SpellingOptions {
  spelling?: Spelling | undefined
  /** Fractions always have six digits, as Django prints them. */
  sixDigits?: boolean
  /** The server prints local time this many ms ahead of UTC, and says no zone. */
  localShiftMs?: number | undefined
}

const HOUR_MS = 3_600_000
/** The zones that differ from UTC, in ms. */
const ZONES_MS: Partial<Record<Spelling, number>> = { offset: HOUR_MS, '+05:30': 5.5 * HOUR_MS }

/** `instant` (ms since 1970, microseconds as a fraction) as the server prints it. */
export function spell(instant: number, options: SpellingOptions): string | number {
  const { spelling = 'Z', sixDigits = false, localShiftMs = 0 } = options
  // Whoever prints local time prints that of one zone.
  const zone = localShiftMs === 0 ? (ZONES_MS[spelling] ?? 0) : localShiftMs
  const micros = Math.round(instant * 1000) + zone * 1000
  const epoch = epochOf(micros, spelling)
  if (epoch !== null) return epoch
  const whole = new Date(Math.floor(micros / 1_000_000) * 1000)
  if (spelling === 'RFC 1123') return whole.toUTCString()
  if (spelling === 'in words') return 'in 1 hour'
  const text = isoText(whole, fractionOf(micros % 1_000_000, sixDigits), spelling)
  return localShiftMs === 0 ? text : text.replace(/(Z|[+-]\d\d:?\d\d)$/i, '')
}

function epochOf(micros: number, spelling: Spelling): string | number | null {
  if (spelling === 'epoch seconds') return micros / 1_000_000
  if (spelling === 'epoch seconds text') return String(micros / 1_000_000)
  if (spelling === 'epoch milliseconds') return micros / 1000
  if (spelling === 'epoch milliseconds text') return String(micros / 1000)
  return null
}

/** The digits after the point: none, three or six. */
function fractionOf(micros: number, sixDigits: boolean): string {
  if (micros === 0) return ''
  const digits = String(micros).padStart(6, '0')
  return sixDigits || !digits.endsWith('000') ? digits : digits.slice(0, 3)
}

function isoText(whole: Date, fraction: string, spelling: Spelling): string {
  const [date = '', time = ''] = whole.toISOString().slice(0, 19).split('T')
  const point = fraction && `.${fraction}`
  switch (spelling) {
    case 'offset':
      return `${date}T${time}${point}+01:00`
    case '+00:00':
    case '+0000':
    case '+05:30':
      return `${date}T${time}${point}${spelling}`
    case '+00':
      return `${date} ${time}${point}+00`
    case 'lower case':
      return `${date}t${time}${point}z`
    case 'space':
      return `${date} ${time}${point}Z`
    case 'short':
      return `${date}T${time.endsWith(':00') && !fraction ? time.slice(0, 5) : time + point}Z`
    case 'comma':
      return `${date}T${time}${fraction && `,${fraction}`}Z`
    case 'UTC':
      return `${date} ${time}${point} UTC`
    case 'basic':
      return `${date.replaceAll('-', '')}T${time.replaceAll(':', '')}${point}Z`
    default:
      return `${date}T${time}${point}Z`
  }
}
