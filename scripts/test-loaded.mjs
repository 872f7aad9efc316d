// Runs the tests beside busy loops, as on a busy machine: `npm run test:loaded`. Arguments go to
// Jest. The loops are threads of this process, so that none of them outlives it, however it ends.
import { spawn } from 'node:child_process'
import { availableParallelism, constants } from 'node:os'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'

const LOOPS = 2 * availableParallelism()
const JEST = [
  '--experimental-vm-modules',
  '--disable-warning=ExperimentalWarning',
  'node_modules/jest/bin/jest.js',
]

for (let index = 0; index < LOOPS; index++) new Worker('for (;;);', { eval: true })

const tests = spawn(process.execPath, [...JEST, ...process.argv.slice(2)], {
  cwd: fileURLToPath(new URL('..', import.meta.url)),
  stdio: 'inherit',
})
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => tests.kill(signal))
tests.once('error', (error) => {
  console.error(`The tests could not be started: ${error.message}`)
  process.exit(1)
})
tests.once('exit', (code, signal) => process.exit(code ?? 128 + (constants.signals[signal] ?? 0)))
