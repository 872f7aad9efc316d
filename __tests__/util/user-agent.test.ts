import { readFileSync } from 'node:fs'
import { expect, test } from '@jest/globals'
import { ACTION, userAgent, VERSION } from '../../src/util/user-agent.ts'

test('the User-Agent has the name and version of the package', () => {
  const { name, version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  expect({ name: ACTION, version: VERSION }).toEqual({ name, version })
})

test('the User-Agent names the run, without characters that a header cannot hold', () => {
  expect(userAgent({ GITHUB_REPOSITORY: 'octo-org/octo.repo_1', GITHUB_RUN_ID: '42' })).toBe(
    `${ACTION}/${VERSION} (octo-org/octo.repo_1; run 42)`,
  )
  expect(userAgent({ GITHUB_REPOSITORY: 'a/b\r\nX: y' })).toBe(`${ACTION}/${VERSION} (a/bXy; run unknown)`)
})
