/**
 * Checks that the runner gave the files through which `names` are handed on. Without GITHUB_STATE or
 * GITHUB_OUTPUT, @actions/core falls back to printing commands, the key among them, to the log. Throws an Error
 * that names what is missing.
 */
export function requireCommandFiles(env: NodeJS.ProcessEnv, names: string[]): void {
  const missing = names.filter((name) => !env[name])
  if (missing.length > 0)
    throw new Error(
      `This runner does not set ${missing.join(' and ')}, so a key could only be handed on through the log. ` +
        'No key was asked for. Run the action on a current GitHub Actions runner.',
    )
}
