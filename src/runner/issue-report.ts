import type { IssuedKey } from '../protocol/saved-state.ts'
import { formatUtc, keyLabel } from './report.ts'

/** By the server's clock. */
export function issuedLine(key: IssuedKey, revoke: boolean): string {
  const { createdAt, expiresAt } = key
  const end = revoke ? 'The post step revokes it after the job.' : 'It stays valid until it expires (`revoke: false`).'
  const validity =
    expiresAt === null
      ? 'whose expiry is unknown'
      : `valid until ${formatUtc(expiresAt)}${formatLifetime(expiresAt - (createdAt ?? expiresAt))}`
  return `Created the API key ${keyLabel(key)}, ${validity}. ${end}`
}

function formatLifetime(lifetime: number): string {
  if (lifetime <= 0) return ''
  const minutes = Math.round(lifetime / 60_000)
  return minutes < 120 ? ` (for ${minutes} min)` : ` (for ${Math.round(minutes / 60)} h)`
}

/** `skew`: the server's clock less ours, in milliseconds. */
export function clockNote(skew: number): string {
  const minutes = Math.abs(skew / 60_000).toFixed(1)
  return `This runner's clock is ${minutes} min ${skew > 0 ? 'behind' : 'ahead of'} the API's; the API's decides`
}
