import { describe, expect, test } from '@jest/globals'
import { type Place, permissionFor, placeLabel, secretsPaths } from '../../src/rotate/places.ts'
import { INPUTS, refusedByGithub, runRotate, SECRET } from './harness.ts'

const REPOSITORY = { owner: 'octo', repo: 'r.1', id: '4711' }

describe('a place', () => {
  test.each<[Place, string[], string, string]>([
    [
      { kind: 'repository', name: '' },
      ['/repos/octo/r.1/actions/secrets'],
      'Secrets: write',
      'the repository',
    ],
    [
      { kind: 'environment', name: 'prod/eu #1' },
      [
        '/repos/octo/r.1/environments/prod%2Feu%20%231/secrets',
        '/repositories/4711/environments/prod%2Feu%20%231/secrets',
      ],
      'Secrets: write and Environments: write',
      'the environment "prod/eu #1"',
    ],
    [
      { kind: 'organization', name: 'octo-org' },
      ['/orgs/octo-org/actions/secrets'],
      'organization permission Secrets: write',
      'the organization octo-org',
    ],
    [
      { kind: 'dependabot', name: '' },
      ['/repos/octo/r.1/dependabot/secrets'],
      'Dependabot secrets: write',
      "the repository's Dependabot secrets",
    ],
    [
      { kind: 'codespaces', name: '' },
      ['/repos/octo/r.1/codespaces/secrets'],
      'Codespaces secrets: write',
      "the repository's Codespaces secrets",
    ],
  ])('%j has its paths, permission and name', (place, paths, permission, label) => {
    expect(secretsPaths(place, REPOSITORY)).toEqual(paths)
    expect(permissionFor(place)).toBe(permission)
    expect(placeLabel(place)).toBe(label)
  })
})

describe('looking up a place', () => {
  const organization = { kind: 'organization', name: 'octo-org' } as const
  const path = '/orgs/octo-org/actions/secrets'
  const inOrganization = (selected: number[], answer?: Parameters<typeof runRotate>[0]) =>
    runRotate({
      inputs: { home: organization },
      prepare: ({ github }) =>
        github.addSecret('organization octo-org', SECRET, { value: 'x', visibility: 'selected', selected }),
      ...answer,
    })

  test('reads no list of repositories unless the secret is for selected ones', async () => {
    for (const visibility of ['all', 'private']) {
      const run = await inOrganization([], {
        prepare: ({ github }) =>
          github.addSecret('organization octo-org', SECRET, { value: 'x', visibility }),
      })
      expect(run.error).toBe('')
      expect(run.seen.filter(({ what }) => what.includes('/repositories'))).toEqual([])
    }
  })

  test('that does not exist or is hidden says what to check', async () => {
    const run = await runRotate({ inputs: { secret: 'OTHER' } })
    expect(run.error).toBe(
      'There is no secret OTHER in the repository, or github-token cannot see it (404). No key was created. ' +
        'Check the inputs secret, environment and copies, and that the token has access to it ("Secrets: write").',
    )
  })

  test('reads every page of the selected repositories and no more', async () => {
    const ids = Array.from({ length: 100 }, (_, index) => index + 1)
    const run = await inOrganization(ids)
    const pages = run.seen.filter(({ what }) => what.includes('/repositories'))
    expect(pages.map(({ what }) => what)).toEqual(
      [1, 2].map((page) => `GET ${path}/${SECRET}/repositories?per_page=50&page=${page}`),
    )
    const put = run.seen.find(({ what }) => what.startsWith('PUT'))
    expect(JSON.parse(put?.body ?? '')).toMatchObject({
      visibility: 'selected',
      selected_repository_ids: ids,
    })
    expect((await inOrganization([])).error).toBe('')
  })

  test('refuses an incomplete list of repositories', async () => {
    const run = await inOrganization([1, 2], {
      answer: (what) =>
        what.includes('/repositories')
          ? { status: 200, body: { total_count: 3, repositories: what.endsWith('=1') ? [{ id: 1 }] : [] } }
          : undefined,
    })
    expect(run.error).toContain('Could not read all repositories that may use SPHERESCOUT_API_KEY')
    expect(run.account.keys()).toEqual([])
    expect(run.seen.filter(({ what }) => what.includes('/repositories'))).toHaveLength(2)
  })

  test('refuses an organization secret without its visibility', async () => {
    const run = await runRotate({
      inputs: { home: organization },
      answer: (what) =>
        what === `GET ${path}/${SECRET}` ? { status: 200, body: { name: SECRET } } : undefined,
    })
    expect(run.error).toContain(
      'did not return the visibility of SPHERESCOUT_API_KEY in the organization octo-org',
    )
  })

  test('refuses another secret than the requested one', async () => {
    const run = await runRotate({
      answer: (what) =>
        what.endsWith(`/${SECRET}`) && what.startsWith('GET')
          ? { status: 200, body: { name: 'OTHER' } }
          : undefined,
    })
    expect(run.error).toContain(
      'GitHub returned another secret instead of SPHERESCOUT_API_KEY in the repository',
    )
    const lower = await runRotate({
      answer: (what) =>
        what.endsWith(`/${SECRET}`) && what.startsWith('GET')
          ? { status: 200, body: { name: SECRET.toLowerCase() } }
          : undefined,
    })
    expect(lower.error).toBe('')
  })

  test('retries a 502 and reports a 403', async () => {
    const passing = await runRotate({
      answer: (what, count) => (what.endsWith('public-key') && count < 3 ? { status: 502 } : undefined),
    })
    expect(passing.error).toBe('')
    const lasting = await runRotate({
      answer: (what) => (what.endsWith('public-key') ? refusedByGithub(403) : undefined),
    })
    expect(lasting.error).toMatch(/^Could not look up the secret in the repository: .*Secrets: write/)
  })

  test('tries the other path of an environment only after a 404 from GitHub', async () => {
    const home = { kind: 'environment', name: 'prod' } as const
    const refused = await runRotate({ inputs: { home }, github: { permissions: [] } })
    expect(refused.seen.filter(({ what }) => what.includes('/environments/'))).toHaveLength(1)
    const missing = await runRotate({ inputs: { home } })
    expect(missing.seen.filter(({ what }) => what.includes('/environments/'))).toHaveLength(2)
    expect(missing.error).toMatch(
      /There is no secret SPHERESCOUT_API_KEY in the environment "prod", or github-token cannot see it \(404\)/,
    )
    expect(INPUTS.copies).toEqual([])
  })
})
