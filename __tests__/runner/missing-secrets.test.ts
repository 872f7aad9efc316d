import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { explainMissingSecrets, readRunContext } from '../../src/runner/missing-secrets.ts'

describe('explainMissingSecrets', () => {
  const repo = (full_name: string) => ({ repo: { full_name } })
  const pull = (head: string, base: string) => ({ pull_request: { head: repo(head), base: repo(base) } })
  const run = (eventName: string, payload: unknown, actor = 'octocat') => ({ eventName, actor, payload })

  test.each([
    ['a pull request from a fork', run('pull_request', pull('b/r', 'a/r')), /pull request from a fork/],
    ['a review of one', run('pull_request_review', pull('b/r', 'a/r')), /pull request from a fork/],
    [
      'a pull request from a deleted fork',
      run('pull_request', { pull_request: { head: { repo: null }, base: repo('a/r') } }),
      /pull request from a fork/,
    ],
    ['a run by Dependabot', run('push', {}, 'dependabot[bot]'), /Dependabot secret/],
  ])('explains %s', (_, context, says) => {
    expect(explainMissingSecrets(context)).toMatch(says)
  })

  test.each([
    ['a pull request of the same repository', run('pull_request', pull('a/r', 'a/r'))],
    ['pull_request_target, which has secrets', run('pull_request_target', pull('b/r', 'a/r'))],
    ['a push', run('push', { repository: { fork: false } })],
    ['a push to a fork, which may have secrets of its own', run('push', { repository: { fork: true } })],
    ['a pull request without a payload', run('pull_request', null)],
  ])('does not blame a fork for %s', (_, context) => {
    expect(explainMissingSecrets(context)).toBeNull()
  })

  test('takes any payload without throwing', () => {
    const payload = fc.oneof(
      fc.anything(),
      fc.record({ pull_request: fc.anything(), repository: fc.anything() }),
      fc.record({ pull_request: fc.record({ head: fc.anything(), base: fc.anything() }) }),
    )
    fc.assert(
      fc.property(payload, (value) => {
        expect(() => explainMissingSecrets(run('pull_request', value))).not.toThrow()
      }),
    )
  })
})

describe('readRunContext', () => {
  const folder = mkdtempSync(join(tmpdir(), 'event-'))
  afterAll(() => rmSync(folder, { recursive: true }))
  const read = (path?: string) =>
    readRunContext({ GITHUB_EVENT_NAME: 'push', GITHUB_ACTOR: 'octocat', GITHUB_EVENT_PATH: path })
  const file = (name: string, content: string) => {
    writeFileSync(join(folder, name), content)
    return join(folder, name)
  }

  test('reads the event file, with a byte order mark or without', () => {
    const expected = { eventName: 'push', actor: 'octocat', payload: { a: 1 } }
    expect(read(file('plain', '{"a":1}'))).toEqual(expected)
    expect(read(file('bom', '\uFEFF{"a":1}'))).toEqual(expected)
  })

  test('counts an event file that it cannot use as empty', () => {
    mkdirSync(join(folder, 'folder'))
    const huge = file('huge', '[1]')
    truncateSync(huge, 33 * 1024 * 1024)
    const paths = [undefined, '', join(folder, 'none'), join(folder, 'folder'), file('empty', ''), huge]
    for (const path of [...paths, file('null', 'null'), file('cut', '{"a"')])
      expect(read(path).payload).toBeNull()
  })

  test('needs no variable at all', () => {
    expect(readRunContext({})).toEqual({ eventName: '', actor: '', payload: null })
  })
})
