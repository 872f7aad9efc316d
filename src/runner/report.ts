import type { IssuedKey } from '../protocol/saved-state.ts'
import { sanitizeName } from './sanitize.ts'

/** A key as the dashboard shows it. */
export function keyLabel({ prefix, id }: Pick<IssuedKey, 'prefix' | 'id'>): string {
  return `${sanitizeName(prefix)}... (id ${shortId(id)})`
}

/** Enough to find it by. */
export function shortId(id: string): string {
  const whole = sanitizeName(id)
  return whole.length > 16 ? `${whole.slice(0, 8)}...` : whole
}

/** Milliseconds as `2.5 s`. */
export function formatSeconds(duration: number): string {
  return `${(duration / 1000).toFixed(1)} s`
}

/** As `2027-01-01 00:00:00 UTC`. */
export function formatUtc(instant: number): string {
  return `${new Date(instant).toISOString().slice(0, 19).replace('T', ' ')} UTC`
}

/** A table of keys for the job summary, in Markdown. */
export function keySummary(title: string, rows: { key: IssuedKey; status: string }[]): string {
  const lines = rows.map(({ key: { prefix, id, createdAt, expiresAt }, status }) => {
    const [created, expires] = [createdAt, expiresAt].map((at) => (at === null ? 'unknown' : formatUtc(at)))
    return `| \`${sanitizeName(prefix)}...\` | \`${shortId(id)}\` | ${created} | ${expires} | ${status} |\n`
  })
  const head = '| API key | ID | Created | Expires | Status |\n| --- | --- | --- | --- | --- |\n'
  return `### ${title}\n\n${head}${lines.join('')}`
}
