const moduleUrl = (name: string) => new URL(`preload/${name}.mjs`, import.meta.url).href
const preload = (name: string) => ['--import', moduleUrl(name)]

/** Arguments of Node under which every sleep of a step ends at once, and its clock moves by as much. */
export const SKIP_SLEEPS = preload('skip-sleeps')

/** Arguments of Node under which a step prints `got SIGINT` on stderr as soon as it handles that signal. */
export const NOTE_SIGNALS = preload('note-signals')

/** Arguments of Node under which a step is killed as it is about to set its first output. */
export const DIE_AT_OUTPUT = preload('die-at-output')

/** The environment of steps whose wall clock is `shift` milliseconds ahead. */
export function shiftedClock(shift: number): Record<string, string> {
  return { NODE_OPTIONS: `--import=${moduleUrl('shift-clock')}`, CLOCK_SHIFT_MS: String(shift) }
}
