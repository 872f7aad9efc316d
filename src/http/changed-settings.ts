import { AUTHORITIES, PROXIES } from './network-settings.ts'

/** The variables that differ. */
export function changedSettings(
  before: Record<string, string>,
  after: Record<string, string>,
): { authorities: string[]; proxies: string[] } {
  const changed = (name: string) => before[name] !== after[name]
  return { authorities: AUTHORITIES.filter(changed), proxies: PROXIES.filter(changed) }
}
