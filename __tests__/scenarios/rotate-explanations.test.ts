// What rotate says about a key that may be left, or that it must not use, is true.
import { expect, test } from '@jest/globals'
import { errorOf, WITHOUT_SLEEPS } from './with-job.ts'
import { DAY, withRotation } from './with-rotation.ts'

const FORBIDDEN = { status: 403, body: '{"message":"Resource not accessible by integration"}' }

/** The state file takes one entry; then the disk is full. */
const FULL_AFTER_ONE = {
  nodeArgs: [
    '--import',
    `data:text/javascript,${encodeURIComponent(`
      import fs from 'node:fs'
      import { syncBuiltinESMExports } from 'node:module'
      const { appendFileSync } = fs
      let left = 1
      fs.appendFileSync = (path, text) => {
        if (path === process.env.GITHUB_STATE && left-- <= 0) throw new Error('ENOSPC: no space left on device')
        appendFileSync(path, text)
      }
      syncBuiltinESMExports()
    `)}`,
  ],
}

test('a lost response is mentioned beside the key that the next one returned, where the API ignores expiries', () =>
  withRotation({ api: { ignoreExpiry: true } }, async ({ emulator, job, inputs }) => {
    emulator.fault({ kind: 'cut-after', on: 'create' })
    const main = await job().main(inputs(), WITHOUT_SLEEPS)
    expect(emulator.account.live()).toMatchObject([{ expiry: null }])
    expect(errorOf(main)).toMatch(
      /never expires.*earlier create request may have created another key.*look for a key of this time/,
    )
  }))

test('three lost responses are not called harmless', () =>
  withRotation({ api: { ignoreExpiry: true } }, async ({ emulator, job, inputs }) => {
    emulator.fault({ kind: 'cut-after', on: 'create', times: 3 })
    const one = job()
    const main = await one.main(inputs(), WITHOUT_SLEEPS)
    const post = await one.post()
    expect(errorOf(main)).toMatch(/neither is certain: look for a key of this time/)
    expect(post.shown).toMatch(/neither is certain: look for a key of this time/)
    expect(main.shown + post.shown).not.toContain('Nothing needs to be done')
  }))

test('a refusal that took 3 s does not prove that no key was created: a gateway may have sent the request twice', () =>
  withRotation({ own: true, age: 31 * DAY, api: { keyLimit: 2 } }, async ({ emulator, job, inputs }) => {
    emulator.fault({ kind: 'twice', ms: 3_500, on: 'create' })
    const one = job()
    const main = await one.main(inputs())
    expect(emulator.account.live()).toHaveLength(1)
    expect(errorOf(main)).toMatch(/^No new key was received: .* 403/)
    expect((await one.post()).shown).toContain('look for a key of this time')
  }))

test('a full disk does not keep an unusable key from being revoked and named', () =>
  withRotation({ api: { ignoreExpiry: true } }, async ({ emulator, job, inputs, isValid }) => {
    const main = await job().main(inputs(), FULL_AFTER_ONE)
    const made = emulator.account.keys().at(-1)
    expect(isValid(made)).toBe(false)
    expect(errorOf(main)).toContain(`The new key ${made?.token_key}`)
  }))

test('a full disk does not hide the key that was refused', () =>
  withRotation({ api: { createAnswer: () => "another job's, own made" } }, async ({ job, inputs }) => {
    const main = await job().main(inputs(), FULL_AFTER_ONE)
    expect(errorOf(main)).toContain('does not describe a key that this run created')
  }))

test('a full disk does not hide why the API refused the create request', () =>
  withRotation({ own: true, age: 31 * DAY, api: { keyLimit: 1 } }, async ({ job, inputs }) => {
    const main = await job().main(inputs(), FULL_AFTER_ONE)
    expect(errorOf(main)).toMatch(/^No new key was created: .* 403/)
  }))

test('an account without room names the keys of runs whose write was not confirmed', () =>
  withRotation({ own: true, age: 31 * DAY, api: { keyLimit: 4 } }, async (rotation) => {
    const { github, job, inputs, travel, emulator, now, value } = rotation
    const secret = { value: value(), updatedAt: now() - 31 * DAY }
    github.github.addSecret('dependabot', 'SPHERESCOUT_API_KEY', secret)
    github.fault({ on: { method: 'PUT', path: '/actions/secrets/' }, ...FORBIDDEN, times: 6 })
    const run = () => job().main({ ...inputs(), copies: 'dependabot' }, WITHOUT_SLEEPS)
    const unconfirmed: string[] = []
    for (const _ of [1, 2, 3]) {
      await run()
      unconfirmed.push(emulator.account.keys().at(-1)?.token_key ?? '')
      travel(DAY)
    }
    const error = errorOf(await run())
    expect(error).toMatch(/^No new key was created: .* If it has reached its limit of keys, revoke these/)
    for (const prefix of unconfirmed) expect(error).toContain(prefix)
    expect(error).toContain(`replaced by ${unconfirmed.at(-1)}`)
  }))

test('a key of the main action is refused as api-key, or every run would add a key that nothing revokes', () =>
  withRotation({}, async ({ emulator, job, inputs, now, travel }) => {
    const before = emulator.account.live().length
    for (let day = 0; day < 3; day++) {
      const short = emulator.account.addKey({ created: now(), expiry: now() + 1_740_123 })
      const main = await job().main({ ...inputs(), 'api-key': short.token })
      expect(errorOf(main)).toMatch(/^api-key is the short-lived key .* Pass the secret itself as api-key/)
      expect(main.shown + main.summary).not.toMatch(/URGENT|If rotation stops/)
      travel(DAY)
    }
    expect(emulator.account.live()).toHaveLength(before)
  }))

test('post promises no revocation of a key whose expiry carries no tag', () =>
  withRotation({ api: { maxDigits: 0 } }, async ({ emulator, killWhen }) => {
    for (const _ of ['in microseconds', 'in milliseconds'])
      emulator.fault({ kind: 'delay', on: 'create', ms: 1, act: 'after' })
    emulator.fault({ kind: 'delay', on: 'create', ms: 5_000, act: 'before' })
    const post = await killWhen(() => emulator.account.live().length > 0)
    expect(post?.shown).toMatch(/neither is certain/)
  }))

test('outputs that cannot be written lose no key, and the error does not say so', () =>
  withRotation({}, async ({ job, inputs }) => {
    const main = await job().main(inputs(), { brokenFiles: ['output'] })
    expect(main.shown).toContain('so later steps get no outputs')
    expect(main.shown).toContain('Rotated: the secret now holds the key')
  }))

test('a stored list with an old Date is not called a wrong clock', () =>
  withRotation({}, async ({ emulator, job, inputs, key }) => {
    const { id, token_key, created = 0 } = key() ?? {}
    emulator.fault({
      kind: 'status',
      status: 200,
      on: 'list',
      times: 9,
      headers: {
        'Content-Type': 'application/json',
        Age: '172800',
        Date: new Date(Date.now() - 2 * DAY).toUTCString(),
      },
      body: JSON.stringify([{ id, token_key, created: new Date(created).toISOString(), expiry: null }]),
    })
    expect((await job().main(inputs())).shown).not.toContain('Check the clock of the runner')
  }))

test('due-at is empty for a key that is due now', () =>
  withRotation({ own: true, age: 31 * DAY }, async ({ github, job, inputs }) => {
    github.fault({ on: { method: 'PUT' }, ...FORBIDDEN, times: 99 })
    const main = await job().main(inputs(), WITHOUT_SLEEPS)
    expect(main.outputs['due-at']).toBe('')
  }))

test('a fault of the program is called one', () =>
  withRotation({}, async ({ job, inputs }) => {
    const broken = "import http from 'node:http'; http.request = () => { throw new TypeError('boom') }"
    const nodeArgs = ['--import', `data:text/javascript,${encodeURIComponent(broken)}`]
    const main = await job().main(inputs(), { nodeArgs })
    expect(errorOf(main)).toBe('Unexpected TypeError, please report it: boom')
  }))
