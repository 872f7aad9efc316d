// The emulator as a process of its own. Needs no installed package, so that a job need not install any.
import { startEmulator } from '../../../__tests__/support/emulator.ts'

const { url, account } = await startEmulator({ control: true })
console.log(JSON.stringify({ url, key: account.longLivedKey }))
