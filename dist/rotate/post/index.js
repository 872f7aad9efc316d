'use strict'

const common = require('../common/index.js')

/** The variables that differ. */
function changedSettings(before, after) {
	const changed = (name) => before[name] !== after[name]
	return { authorities: common.AUTHORITIES.filter(changed), proxies: common.PROXIES.filter(changed) }
}

/**
 * The post step: revokes a key that was created and certainly never written. Any other key is left alone, as the secret
 * may hold it. Never throws for what it finds: a rotation that worked must not fail here.
 */
async function cleanUp(found, deps) {
	const { runner } = deps
	if (found.kind === 'unreadable')
		runner.warning(
			'What the main step of the rotation saved cannot be read, so nothing was revoked. A key that it created is retired by a later run, or expires.',
		)
	if (found.kind !== 'record') return
	const { state } = found
	const { phase, key } = state
	if (phase === 'creating')
		runner.warning(
			`The rotation ended before a create request was answered. If it created a key, that key expires at ${common.formatUtc(state.expiry)}; a later run retires it.`,
		)
	if (phase === 'writing' && key)
		runner.warning(
			`The rotation ended while the key ${common.keyLabel(key)} was being written. The secret may hold it, so it stays valid; the next run goes on from there.`,
		)
	if (phase === 'created' && key) {
		const { clock, random, connect, settings } = deps
		// Where a later step changed which certificate authorities are trusted, only the key that dies by it is sent.
		const trusted = changedSettings(state.settings, settings).authorities.length === 0
		await common.discardKey(key, trusted ? state.apiKey : null, { api: connect(state), clock, random, runner })
	}
}

// Wires the real runner, network and clock into the post step of rotate.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGBREAK']) process.on(signal, () => {})
async function run() {
	try {
		await cleanUp(common.parseRotateState(common.getState(common.ROTATE_STATE_NAME)), {
			clock: common.systemClock,
			random: Math.random,
			runner: common.runner,
			connect: ({ apiUrl, proxy, userAgent }) =>
				common.createKeyApi(
					common.logRequests(common.createHttpClient(proxy), common.debugLog(), common.systemClock.now),
					apiUrl,
					userAgent,
					common.systemClock.now,
				),
			settings: common.networkSettings(process.env),
		})
	} catch (error) {
		common.failStep(error)
	}
}
void run()
