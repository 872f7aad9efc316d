// Loaded into a step's process before the step itself: kills the process as it is about to write its first output.
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'

for (const name of ['openSync', 'appendFileSync', 'writeFileSync']) {
  const original = fs[name]
  fs[name] = (file, ...rest) => {
    if (file === process.env.GITHUB_OUTPUT) process.kill(process.pid, 'SIGKILL')
    return original(file, ...rest)
  }
}
syncBuiltinESMExports()
