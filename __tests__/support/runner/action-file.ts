import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { parse } from 'yaml'

export interface ActionFile {
  main: string
  /** Empty where the action has no post step. */
  post: string
  /** The inputs that have a default, by name. */
  defaults: Record<string, string>
}

interface RawActionFile {
  runs: { main: string; post?: string }
  inputs?: Record<string, { default?: unknown } | null>
}

/** Reads from an `action.yml` what the runner needs of it. Throws if it is missing or not YAML. */
export function readActionFile(path: string): ActionFile {
  const { runs, inputs = {} } = parse(readFileSync(path, 'utf8')) as RawActionFile
  const withDefault = Object.entries(inputs).filter(([, input]) => input?.default !== undefined)
  return {
    main: resolve(dirname(path), runs.main),
    post: runs.post === undefined ? '' : resolve(dirname(path), runs.post),
    defaults: Object.fromEntries(withDefault.map(([name, input]) => [name, String(input?.default)])),
  }
}
