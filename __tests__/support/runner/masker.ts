export interface Masker {
  /** Hides the value, and each of its lines, in all that is masked from now on. */
  add(value: string): void
  /** The text with every known secret replaced by `***`. */
  mask(text: string): string
  /** The values as they were given. */
  values(): string[]
}

/** Hides secrets as the runner does: the value itself and its base64, URI, JSON and XML forms, not hex or base64url. */
export function createMasker(): Masker {
  const given: string[] = []
  const hidden = new Set<string>()
  return {
    add(value) {
      given.push(value)
      for (const part of [value, ...value.split(/[\r\n]+/)]) {
        if (part !== '') for (const form of formsOf(part)) hidden.add(form)
      }
    },
    mask: (text) => replaceRanges(text, occurrences(text, hidden)),
    values: () => [...given],
  }
}

function formsOf(secret: string): string[] {
  return [
    secret,
    ...base64Alignments(secret),
    encodeURIComponent(secret),
    JSON.stringify(secret).slice(1, -1),
    xmlEscaped(secret),
  ]
}

/** In `base64(user:secret)` the secret may start at any of three bit positions, and looks different at each. */
function base64Alignments(secret: string): string[] {
  const bytes = Buffer.from(secret)
  return [0, 1, 2]
    .filter((shift) => shift < bytes.length)
    .map((shift) => bytes.subarray(shift).toString('base64'))
}

const xmlEntities: Record<string, string> = {
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
  '&': '&amp;',
}

function xmlEscaped(text: string): string {
  return text.replace(/[<>"'&]/g, (character) => xmlEntities[character] ?? character)
}

type Range = { start: number; end: number }

function occurrences(text: string, needles: Iterable<string>): Range[] {
  const found: Range[] = []
  for (const needle of needles) {
    for (let start = text.indexOf(needle); start >= 0; start = text.indexOf(needle, start + 1)) {
      found.push({ start, end: start + needle.length })
    }
  }
  return found.sort((a, b) => a.start - b.start)
}

/** Ranges that touch become one `***`, so that the number of stars says nothing about what they hide. */
function replaceRanges(text: string, sorted: Range[]): string {
  let masked = ''
  let done = 0
  let previousEnd = -1
  for (const { start, end } of sorted) {
    if (start > previousEnd) masked += `${text.slice(done, start)}***`
    previousEnd = Math.max(previousEnd, end)
    done = previousEnd
  }
  return masked + text.slice(done)
}
