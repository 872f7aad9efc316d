const LOSSES = {
  GITHUB_STATE: 'the post step could not revoke the key',
  GITHUB_OUTPUT: 'later steps could not receive the key',
  GITHUB_ENV: 'export-env could not be set',
  GITHUB_STEP_SUMMARY: 'the job summary is missing',
}

/** Throws if one is not set: the key could then pass only through the log. */
export function requireCommandFiles(env: NodeJS.ProcessEnv, names: string[]): void {
  const missing = names.filter((name) => !env[name])
  if (missing.length > 0)
    throw new Error(
      `This runner does not set ${missing.join(' and ')}, so the key could only be passed on through the log. ` +
        'No key was requested. Use a current GitHub Actions runner.',
    )
}

/** The Error names the file, the reason and the loss. */
export function namingFile<T extends unknown[]>(
  variable: keyof typeof LOSSES,
  write: (path: string, ...values: T) => void,
): (...values: T) => void {
  return (...values) => {
    try {
      write(process.env[variable] ?? '', ...values)
    } catch (error) {
      const reason = String(error).replace(/^Error: /, '')
      throw new Error(
        `Could not write the file ${variable} (${reason}), so ${LOSSES[variable]}. ` +
          "Check the disk space and the permissions of the runner's temporary folder.",
      )
    }
  }
}
