/** How the account's list is given out. All but the first two leave rows out of the first page in a way of their own. */
export const LIST_FORMS = [
  'array',
  'paginated',
  'link header',
  'has_more',
  'count',
  'last link',
  'total header',
  'per-page header',
  'next-range header',
] as const
export type ListForm = (typeof LIST_FORMS)[number]

export const NEXT_FORMS = ['absolute', 'path', 'own path', 'query'] as const
export type NextForm = (typeof NEXT_FORMS)[number]

export interface PageRequest {
  form: ListForm
  next: NextForm
  /** Counted from 1. */
  page: number
  size: number
}

/** One page of `rows`: its body, and the headers that belong to it. `path` is the list's own. */
export function pageOf(
  rows: readonly unknown[],
  path: string,
  { form, next, page, size }: PageRequest,
): { body: unknown; headers: Record<string, string> } {
  if (form === 'array') return { body: rows, headers: {} }
  const results = rows.slice((page - 1) * size, page * size)
  const more = page * size < rows.length
  const address = more ? addressOf(next, path, page + 1) : null
  switch (form) {
    case 'link header':
      return { body: results, headers: address === null ? {} : { Link: `<${address}>; rel="next"` } }
    case 'last link': {
      const last = addressOf(next, path, Math.ceil(rows.length / size))
      return { body: results, headers: { Link: `<${last}>; rel="last"` } }
    }
    case 'total header':
      return { body: results, headers: { Total: String(rows.length) } }
    case 'per-page header':
      return { body: results, headers: { 'Per-Page': String(size) } }
    case 'next-range header':
      return { body: results, headers: more ? { 'Next-Range': `id ${page * size}..; max=${size}` } : {} }
    case 'has_more':
      return { body: { count: rows.length, has_more: more, results }, headers: {} }
    case 'count':
      return { body: { count: rows.length, results }, headers: {} }
    case 'paginated':
      return { body: { count: rows.length, next: address, previous: null, results }, headers: {} }
  }
}

function addressOf(form: NextForm, path: string, page: number): string {
  switch (form) {
    case 'absolute':
      return `http://internal.example${path}?page=${page}`
    case 'path':
      return `${path}?page=${page}`
    case 'own path':
      return `${path}/page/${page}`
    case 'query':
      return `?page=${page}`
  }
}
