// The emulator as a separate process. It needs no package, so a job does not have to install any.
import { startEmulator } from '../../../__tests__/support/emulator.ts'

const { url, account } = await startEmulator({ control: true })
console.log(JSON.stringify({ url, key: account.longLivedKey }))
