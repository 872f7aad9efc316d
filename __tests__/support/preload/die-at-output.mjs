// Loaded into a step's process before the step itself: kills the process as it is about to set its first output.
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'

const append = fs.appendFileSync
fs.appendFileSync = (file, ...rest) => {
  if (file === process.env.GITHUB_OUTPUT) process.kill(process.pid, 'SIGKILL')
  append(file, ...rest)
}
syncBuiltinESMExports()
