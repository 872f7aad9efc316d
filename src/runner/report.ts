import type * as core from '@actions/core'
import type { IssuedKey } from '../protocol/saved-state.ts'
import { formatInstant } from '../util/instant.ts'
import type { Inputs } from './inputs.ts'

/** What the steps use of the runner: the real `@actions/core`, or a recorder in tests. */
export type Runner = Pick<
  typeof core,
  'info' | 'warning' | 'setSecret' | 'setOutput' | 'exportVariable' | 'saveState'
> & {
  /** Adds Markdown to the job summary; throws where it cannot be written. */
  writeSummary(markdown: string): void
}

type Named = Pick<IssuedKey, 'prefix' | 'id'>

/** A key as a person finds it in the dashboard: its first characters, and as much of its id as helps. */
export function keyLabel({ prefix, id }: Named): string {
  return `${sanitize(prefix)}... (id ${shortId(id)})`
}

function shortId(id: string): string {
  const whole = cell(id)
  return whole.length > 16 ? `${whole.slice(0, 8)}...` : whole
}

function cell(text: string): string {
  return sanitize(text).replace(/[|`<>\\]/g, '?')
}

/** Text of the server's for a line of log: what could start a line or a command of its own is left out. */
export function sanitize(text: string): string {
  return text.replace(/[^\x21-\x7e]/g, '?').slice(0, 200)
}

/** One line on the key that was handed over.  */
export function issuedLine(key: IssuedKey, { revoke }: Inputs): string {
  const end = revoke
    ? 'The post step revokes it after the job.'
    : 'It is left to its expiry, as revoke is false.'
  return `Created the API key ${keyLabel(key)}, valid until ${expiryOf(key)}${lifetime(key)}. ${end}`
}

/** A duration in milliseconds, for a person. */
export function formatSeconds(duration: number): string {
  return `${(duration / 1000).toFixed(1)} s`
}

function lifetime({ createdAt, expiresAt }: IssuedKey): string {
  if (createdAt === null || expiresAt === null) return ''
  const minutes = Math.round((expiresAt - createdAt) / 60_000)
  const text = minutes < 120 ? `${minutes} min` : `${Math.round(minutes / 60)} h`
  return ` (for ${text})`
}

function expiryOf({ expiresAt }: Pick<IssuedKey, 'expiresAt'>): string {
  return expiresAt === null ? 'no set time' : formatUtc(expiresAt)
}

/** An instant for a person, to the second: 2027-01-01 00:00:00 UTC. */
export function formatUtc(instant: number): string {
  return `${formatInstant(instant).slice(0, 19).replace('T', ' ')} UTC`
}

/** What to say of a runner whose clock is wrong; `skew` is the server's clock less ours, in milliseconds. */
export function clockNote(skew: number): string {
  const minutes = Math.abs(skew / 60_000).toFixed(1)
  return `This runner's clock is ${minutes} min ${skew > 0 ? 'behind' : 'ahead of'} the API's; the expiry is reckoned by the API's.`
}

/** One row of a job summary: a key, and what is or was done with it. */
export interface KeyRow {
  key: IssuedKey
  status: string
}

/**
 * Adds a table of keys to the job summary. A summary that cannot be written is no reason to fail a job or to lose
 * sight of a key.
 */
export function writeSummary(runner: Runner, title: string, heading: string, rows: KeyRow[]): void {
  const lines = rows.map(({ key, status }) => {
    const created = key.createdAt === null ? '' : formatUtc(key.createdAt)
    return `| \`${cell(key.prefix)}...\` | \`${shortId(key.id)}\` | ${created} | ${expiryOf(key)} | ${status} |\n`
  })
  const head = `| Key | Id | Created | Expires | ${heading} |\n| --- | --- | --- | --- | --- |\n`
  try {
    runner.writeSummary(`### ${title}\n\n${head}${lines.join('')}`)
  } catch {
    runner.info('The job summary could not be written.')
  }
}
