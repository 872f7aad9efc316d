import type { Emulator } from './emulator.ts'

/** The latest that a server acts here: long before post stops looking, 15 s after the deadline of the request. */
const LATEST_MS = 5_000

/**
 * For a server that is slow to act on the first create request: resolves when post has read the list of keys `looks`
 * times, or a while after the request if post has not come to that by then. Post finds the key either way, even if the
 * machine is so slow that post has no time to look twice.
 */
export async function whilePostLooks({ arrived }: Emulator, looks: number): Promise<void> {
  const count = (method: string, least: number) =>
    arrived((requests) => requests.filter((request) => request.method === method).length >= least)
  await count('POST', 1)
  const latest = new Promise<void>((resolve) => setTimeout(resolve, LATEST_MS).unref())
  await Promise.race([count('GET', looks), latest])
}
