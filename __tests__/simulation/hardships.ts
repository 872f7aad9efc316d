import { lag } from './oddities.ts'
import type { Rng } from './rng.ts'
import { MINUTE_MS, type World } from './world.ts'

/** What the post step may meet besides, with a stream of its own, so that the other worlds stay as they are. */
export const HARDSHIPS = [
  'api-key may not revoke',
  'a limit of both credentials',
  'trusted certificates changed',
  'api-key has ended',
  'a row that cannot be read',
  'a gateway that repeats requests and loses responses',
  'an API that does not show the value of a key',
  'stale lists, and revocations that are only claimed',
] as const
export type Hardship = (typeof HARDSHIPS)[number]

/** How many of the worlds have one. */
const HARD_SHARE = 0.16

/** What each changes of the world. */
const CHANGES: Record<Hardship, (world: World, rng: Rng) => Partial<World>> = {
  'api-key may not revoke'({ server }, rng) {
    const hard = { ...server, revocationByOthers: 'forbidden', selfRevocation: 'allowed' } as const
    // The twin was chosen for a list that is as late as this one.
    lag(hard, rng, { freshMs: rng.pick([0, 8_000, 14_500]), listMs: server.replicas?.listMs ?? 0 })
    return { server: hard }
  },
  'a limit of both credentials': (_world, rng) => ({
    limited: {
      credential: 'both',
      ms: rng.between(3_000, 10 * MINUTE_MS),
      mainMs: rng.chance(0.5) ? rng.between(0, 40_000) : 0,
    },
  }),
  'trusted certificates changed': (_world, rng) => ({ settings: changedSettings(rng) }),
  'api-key has ended': () => ({}),
  'a row that cannot be read': (_world, rng) => ({ unreadableRow: rng.pick(['id', 'created', 'expiry']) }),
  'a gateway that repeats requests and loses responses'({ server, twin, faultRate, inputs }, rng) {
    const late = { ...server }
    // The list still shows the first key when it shows the second. Beside another job's, it may show only that.
    if (rng.chance(0.5) && twin === null && !server.replicas) lag(late, rng, { freshMs: 0, listMs: 13_000 })
    return {
      server: late,
      faultRate: Math.max(faultRate, 0.25),
      inputs: { ...inputs, timeout: Math.max(inputs.timeout, 10_000) },
    }
  },
  'an API that does not show the value of a key'({ server }) {
    // Of such a key, another ID and expiry in the list would show nothing; design.md lists that.
    const { listsOtherIds, ...plain } = server
    return { server: plain, faultRate: 0.5 }
  },
  'stale lists, and revocations that are only claimed'({ server }) {
    const { replicas, ...prompt } = server
    return { server: prompt, gate: null, faultRate: 0.5, liesAbout: 'revocation' }
  },
}

/** Gives the world a hardship or none. One that is limited or replaced by a stub is hard enough. */
export function addHardship(world: World, rng: Rng, count: (kind: string) => void): World {
  if (!rng.chance(HARD_SHARE) || world.limited !== null || world.stub !== null) return world
  const hardship = rng.pick(HARDSHIPS)
  count(hardship)
  return { ...world, ...CHANGES[hardship](world, rng), hardship }
}

const AUTHORITIES = ['NODE_EXTRA_CA_CERTS', 'SSL_CERT_FILE', 'SSL_CERT_DIR', 'NODE_USE_SYSTEM_CA']

/** One of the variables is set, removed or given another value between the steps. */
function changedSettings(rng: Rng): World['settings'] {
  const name = rng.pick(AUTHORITIES)
  const [main, post] = rng.pick([
    ['', '/tmp/ca.pem'],
    ['/etc/ca.pem', ''],
    ['/etc/ca.pem', '/tmp/ca.pem'],
  ] as const)
  const only = (value: string) => (value === '' ? {} : { [name]: value })
  return { main: only(main), post: only(post) }
}
