/** What a step loses if it cannot write the file that a variable of the runner names. */
const LOSSES = {
  GITHUB_STATE: 'the post step could not revoke the key',
  GITHUB_OUTPUT: 'later steps could not receive the key',
  GITHUB_ENV: 'export-env could not be set',
  GITHUB_STEP_SUMMARY: 'the job summary is missing',
}

/**
 * Throws an Error if the runner does not set the variables `names`, which name the files that pass values on.
 * Commands in the log would do the same, but they would show the key.
 */
export function requireCommandFiles(env: NodeJS.ProcessEnv, names: string[]): void {
  const missing = names.filter((name) => !env[name])
  if (missing.length > 0)
    throw new Error(
      `This runner does not set ${missing.join(' and ')}, so the key could only be passed on through the log. ` +
        'No key was requested. Use a current GitHub Actions runner.',
    )
}

/**
 * `write`, given the path that `variable` holds. The Error that it throws says which file could not be written, why, and
 * what that means.
 */
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
