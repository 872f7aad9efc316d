/** A workflow command, as a step prints it to make the runner do something. */
export interface Command {
  /** In lower case. */
  name: string
  properties: Record<string, string>
  data: string
}

/** A character and how it is escaped. Unescaped in this order, one after the other, as the runner does. */
type Escapes = readonly (readonly [escaped: string, character: string])[]

const DATA_ESCAPES: Escapes = [
  ['%0D', '\r'],
  ['%0A', '\n'],
  ['%25', '%'],
]
const PROPERTY_ESCAPES: Escapes = [
  ['%0D', '\r'],
  ['%0A', '\n'],
  ['%3A', ':'],
  ['%2C', ','],
  ['%25', '%'],
]
const OLDER_ESCAPES: Escapes = [
  ['%3B', ';'],
  ['%0D', '\r'],
  ['%0A', '\n'],
  ['%5D', ']'],
  ['%25', '%'],
]

/**
 * Reads the command in a line of stdout or stderr, in either syntax: `::name key=value,...::data` at the start of the
 * line, after white space, or else the older `##[name key=value;...]data` anywhere in it. Only names in `registered`
 * (in lower case) are commands; any other line is text. Source: `ActionCommand` of actions/runner 2.336.0.
 */
export function parseCommand(line: string, registered: ReadonlySet<string>): Command | undefined {
  const isCommand = ({ name }: Command) => registered.has(name)
  return [parseNewer(line), parseOlder(line)].find((command) => command && isCommand(command))
}

function parseNewer(line: string): Command | undefined {
  const [, info, data] = /^\s*::(.*?)::(.*)$/s.exec(line) ?? []
  if (info === undefined || data === undefined) return undefined
  const { name, properties } = splitInfo(info)
  return {
    name,
    properties: parseProperties(properties.trim(), ',', PROPERTY_ESCAPES),
    data: unescapeAll(data, DATA_ESCAPES),
  }
}

/** Only the first `##[` of a line counts. */
function parseOlder(line: string): Command | undefined {
  const [, info, data] = /##\[([^\]]*)\](.*)$/s.exec(line) ?? []
  if (info === undefined || data === undefined) return undefined
  const { name, properties } = splitInfo(info)
  return {
    name,
    properties: parseProperties(properties, ';', OLDER_ESCAPES),
    data: unescapeAll(data, OLDER_ESCAPES),
  }
}

function splitInfo(info: string): { name: string; properties: string } {
  const space = info.indexOf(' ')
  const end = space < 0 ? info.length : space
  return { name: info.slice(0, end).toLowerCase(), properties: info.slice(end + 1) }
}

function parseProperties(text: string, separator: string, escapes: Escapes): Record<string, string> {
  const pairs = text.split(separator).map((pair) => /^([^=]+)=(.+)$/s.exec(pair))
  return Object.fromEntries(
    pairs.flatMap((pair) => (pair ? [[pair[1]?.toLowerCase(), unescapeAll(pair[2] ?? '', escapes)]] : [])),
  )
}

function unescapeAll(text: string, escapes: Escapes): string {
  return escapes.reduce((rest, [escaped, character]) => rest.replaceAll(escaped, character), text)
}
