/**
 * Throws an Error where the runner does not set the files through which `names` are handed on: @actions/core would
 * print commands to the log instead, the key among them.
 */
export function requireCommandFiles(env: NodeJS.ProcessEnv, names: string[]): void {
  const missing = names.filter((name) => !env[name])
  if (missing.length > 0)
    throw new Error(
      `This runner does not set ${missing.join(' and ')}, so a key could only be handed on through the log. ` +
        'No key was asked for. Run the action on a current GitHub Actions runner.',
    )
}
