// The SphereScout key API on this machine, to try the action against: npm run emulator -- [--port N] [--tls]
// [--throttle N] [--mode NAME]... [--modes]
import { makeCertificates } from '../__tests__/support/certificates.ts'
import { startEmulator } from '../__tests__/support/emulator.ts'
import { EMULATOR_MODES, optionsOfModes } from '../__tests__/support/emulator-modes.ts'
import { fail, readOptions } from '../scripts/options.ts'

const values = readOptions({
  port: { type: 'string', default: '0' },
  tls: { type: 'boolean', default: false },
  throttle: { type: 'string' },
  mode: { type: 'string', multiple: true, default: [] },
  modes: { type: 'boolean', default: false },
})
if (values.modes) {
  for (const [name, { behavior }] of Object.entries(EMULATOR_MODES))
    console.log(`${name.padEnd(20)} ${behavior}`)
  process.exit()
}

const certificates = values.tls ? await makeCertificates(['127.0.0.1', 'localhost']) : null
const emulator = await start().catch((error: Error) => fail(error.message))
const { url, account } = emulator
console.log(`URL      ${url}`)
console.log(`API key  ${account.longLivedKey}`)
if (certificates) console.log(`CA       (give it in NODE_EXTRA_CA_CERTS)\n${certificates.ca}`)
console.log(
  `Try      curl -s ${certificates ? '-k ' : ''}-X POST ${url}/api/user/api-keys -H "Authorization: Bearer ${account.longLivedKey}" \\`,
)
console.log(
  `              -H 'Content-Type: application/json' -d '{"expiry": "${new Date(Date.now() + 3_600_000).toISOString()}"}'`,
)
console.log('Ends with Ctrl-C.')
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => void emulator.close())

async function start() {
  return startEmulator({
    port: Number(values.port),
    control: true,
    ...optionsOfModes(values.mode),
    ...(certificates ? { tls: certificates } : {}),
    ...(values.throttle ? { throttle: { requests: Number(values.throttle), windowMs: 60_000 } } : {}),
  })
}
