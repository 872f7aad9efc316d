import { type ParseArgsOptionsConfig, parseArgs } from 'node:util'

/** The options of the command line. Ends the process with one line about an option that does not exist. */
export function readOptions<T extends ParseArgsOptionsConfig>(options: T) {
  try {
    return parseArgs({ options }).values
  } catch (error) {
    const names = Object.keys(options).map((name) => `--${name}`)
    return fail(`${(error as Error).message.replace(/\.?$/, '.')} Options: ${names.join(', ')}.`)
  }
}

/** Ends the process with a message. */
export function fail(message: string): never {
  console.error(message)
  process.exit(2)
}
