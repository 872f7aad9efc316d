import { AUTHORITIES } from './network-settings.ts'

/** The settings about certificates that differ. Post uses the proxies of main, so they may. */
export function changedAuthorities(before: Record<string, string>, after: Record<string, string>): string[] {
  return AUTHORITIES.filter((name) => before[name] !== after[name])
}
