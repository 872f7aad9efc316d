import { parseTime } from '../src/util/instant.ts'
import { type Answer, field, KEYS_PATH } from './client.ts'

/** A row of the list, as text. */
export interface Row {
  id: string
  prefix: string
  created: string
  expiry: string | null
}

/** The list, page by page. */
export interface RowReading {
  rows: Row[]
  form: 'array' | 'pages' | 'other'
  pages: number
  /** Whether all pages were read, and as many rows as the API counts. */
  isComplete: boolean
  first: Answer
}

const MAX_PAGES = 200

/** Reads the whole list; of the next page only what follows the path is used, so that the key goes nowhere else. */
export async function readRows(read: (path: string) => Promise<Answer>): Promise<RowReading> {
  const rows: Row[] = []
  let first: Answer | null = null
  const visited = new Set<string>()
  let tail = ''
  for (let pages = 1; ; pages++) {
    const answer = await read(`${KEYS_PATH}${tail}`)
    first ??= answer
    const isArray = Array.isArray(answer.json)
    const page = isArray ? answer.json : field(answer.json, 'results')
    if (answer.status !== 200 || !Array.isArray(page)) return { rows, form: 'other', pages, isComplete: false, first }
    rows.push(...page.map(readRow))
    const next = field(answer.json, 'next')
    visited.add(tail)
    tail = typeof next === 'string' && next !== '' ? tailOf(next) : ''
    if (visited.has(tail) || pages === MAX_PAGES) {
      const count = field(answer.json, 'count') ?? rows.length
      const isComplete = tail === '' && count === rows.length && !/rel="?next/.test(answer.headers.link ?? '')
      return { rows, form: isArray ? 'array' : 'pages', pages, isComplete, first }
    }
  }
}

/** What follows the path of the list in the address of a page. */
function tailOf(next: string): string {
  const { pathname, search } = new URL(next, `https://any.example${KEYS_PATH}`)
  return (pathname.split(KEYS_PATH)[1] ?? '') + search
}

function readRow(value: unknown): Row {
  const expiry = field(value, 'expiry')
  return {
    id: String(field(value, 'id')),
    prefix: String(field(value, 'token_key')),
    created: String(field(value, 'created')),
    expiry: expiry === null || expiry === undefined ? null : String(expiry),
  }
}

/** The instant that a text names as the actions read it, in microseconds since 1970, or null. */
export function microsecondsOf(text: string | null): number | null {
  const time = parseTime(text)
  return time.kind === 'instant' ? Math.round(time.at * 1000) : null
}

/** The same in whole milliseconds. */
export function millisecondsOf(text: string | null): number | null {
  const instant = microsecondsOf(text)
  return instant === null ? null : Math.floor(instant / 1000)
}

/** Grids on which servers are known to keep times, the finest first. */
const GRIDS: [name: string, micros: number][] = [
  ['1 us', 1],
  ['1 ms', 1_000],
  ['1/300 s', 1_000_000 / 300],
  ['10 ms', 10_000],
  ['1 s', 1_000_000],
  ['1 min', 60_000_000],
]

/**
 * The finest grid that explains every pair of an asked and an answered time; null if none does. Servers round up,
 * down or to the nearest point, and some write their grid's points in whole milliseconds.
 */
export function gridOf(pairs: readonly (readonly [asked: string, answered: string])[]): string | null {
  const explains = (step: number) =>
    pairs.every(([asked, answered]) => {
      const [from, to] = [microsecondsOf(asked), microsecondsOf(answered)]
      if (from === null || to === null) return false
      const point = Math.round(to / step) * step
      const isOnGrid = Math.abs(point - to) < (step > 1_000 ? 1_000 : 1)
      return isOnGrid && Math.abs(to - from) < step + (step > 1_000 ? 1_000 : 0)
    })
  return GRIDS.find(([, step]) => pairs.length > 0 && explains(step))?.[0] ?? null
}
