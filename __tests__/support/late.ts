import type { Emulator } from './emulator.ts'

/** The latest that a server acts here: long before post stops looking, 15 s after the deadline of the request. */
const LATEST_MS = 5_000

/**
 * For a server that is slow to act on the first create request: resolves when the steps have sent `count` requests to
 * look for keys and to revoke them, or a while after the first create request if they have not come to that by then.
 * Revocations count too: post may spend its time on the key of another request, and then look only once more.
 */
export async function whilePostLooks({ arrived }: Emulator, count: number): Promise<void> {
  const sent = (isCounted: (method: string) => boolean, least: number) =>
    arrived((requests) => requests.filter(({ method }) => isCounted(method)).length >= least)
  await sent((method) => method === 'POST', 1)
  const latest = new Promise<void>((resolve) => setTimeout(resolve, LATEST_MS).unref())
  await Promise.race([sent((method) => method !== 'POST', count), latest])
}
