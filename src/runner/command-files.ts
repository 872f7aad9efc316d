const LOSSES = {
  GITHUB_STATE: 'the post step could not revoke the key',
  GITHUB_OUTPUT: 'later steps could not receive the key',
  GITHUB_ENV: 'export-env could not be set',
  GITHUB_STEP_SUMMARY: 'the job summary is missing',
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
