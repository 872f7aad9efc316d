'use strict'

const lib = require('../lib/index.js')

/**
 * The post step: revokes a key that was created and certainly never written. Leaves every other key alone, because the
 * secret may hold it. Never throws for what it finds: a rotation that worked must not fail here.
 */
async function cleanUp(found, deps) {
	const { runner } = deps
	if (found.kind === 'unreadable')
		runner.warning('Could not read what the main step saved, so nothing was revoked. If it created a key, a later run revokes it, or it expires.')
	if (found.kind !== 'record') return
	const { state } = found
	const { phase, key, leaked } = state
	if (phase === 'creating')
		runner.warning(`The main step received no key for its request to create one that expires at ${lib.formatUtc(state.expiry)}. ${lib.ORPHAN}`)
	if (phase === 'writing' && key) {
		const advice = leaked && ` No old key was revoked: when a new run works, revoke ${leaked} in the dashboard.`
		runner.warning(
			`The main step ended while it was writing the key ${lib.keyLabel(key)}. The secret may hold it, so it stays valid; the next run continues from there.${advice}`
		)
	}
	if (phase === 'revoking')
		runner.warning(
			`The main step ended while it was revoking the old keys. Revoke ${leaked} in the dashboard if it is still there, and run this again in an hour for the others.`
		)
	if (phase === 'created' && key) {
		const { clock, random, connect, settings } = deps
		// If a later step changed which certificate authorities are trusted, send only the key that is being revoked.
		const trusted = lib.AUTHORITIES.every(name => state.settings[name] === settings[name])
		await lib.discardKey(key, trusted ? state.apiKey : null, { api: connect(state), clock, random, runner })
	}
}

// Wires the real runner, network and clock into the post step of rotate.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGBREAK']) process.on(signal, () => {})
async function run() {
	await cleanUp(lib.parseRotateState(lib.getState(lib.ROTATE_STATE_NAME)), {
		clock: lib.systemClock,
		random: Math.random,
		runner: lib.runner,
		connect: ({ apiUrl, proxy, userAgent }) =>
			lib.createKeyApi({
				client: lib.logRequests(lib.createHttpClient(proxy), lib.debugLog(), lib.systemClock.now),
				apiUrl,
				userAgent,
				now: lib.systemClock.now
			}),
		settings: lib.networkSettings(process.env)
	})
}
run().catch(lib.failStep)
