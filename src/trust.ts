/** The variables by which Node decides which certificate authorities it trusts; those that name a file come first. */
const FILES = ['NODE_EXTRA_CA_CERTS', 'SSL_CERT_FILE']
const SETTINGS = ['SSL_CERT_DIR', 'NODE_USE_SYSTEM_CA']

/**
 * What decides which authorities this process trusts, by variable: its value and, for a file, a digest of its content, so
 * that a later step that swaps the file is noticed too. Unset variables are left out. `digest` gives null for
 * a file that cannot be read.
 */
export function trustSettings(
  env: NodeJS.ProcessEnv,
  digest: (path: string) => string | null,
): Record<string, string> {
  const set = (name: string): [string, string][] => (env[name] ? [[name, env[name]]] : [])
  return Object.fromEntries([
    ...FILES.flatMap(set).map(([name, path]) => [name, `${path} ${digest(path) ?? 'unreadable'}`]),
    ...SETTINGS.flatMap(set),
  ])
}

/** The variables in which two such settings differ. */
export function changedTrust(before: Record<string, string>, after: Record<string, string>): string[] {
  return [...FILES, ...SETTINGS].filter((name) => before[name] !== after[name])
}
