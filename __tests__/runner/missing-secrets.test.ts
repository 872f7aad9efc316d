import { expect, test } from '@jest/globals'
import { explainMissingSecrets } from '../../src/runner/missing-secrets.ts'

const run = (GITHUB_EVENT_NAME: string, GITHUB_ACTOR = 'octocat') => ({ GITHUB_EVENT_NAME, GITHUB_ACTOR })

test.each([
  ['a pull request', run('pull_request'), /pull requests from forks.* If this is none/],
  ['a review of one', run('pull_request_review'), /pull requests from forks/],
  ['a comment of a review', run('pull_request_review_comment'), /pull requests from forks/],
  ['a run by Dependabot', run('push', 'dependabot[bot]'), /Dependabot secret/],
  ['a pull request by Dependabot', run('pull_request', 'dependabot[bot]'), /Dependabot secret/],
])('explains why %s may have no secrets', (_, env, says) => {
  expect(explainMissingSecrets(env)).toMatch(says)
})

test.each([
  ['pull_request_target, which has secrets', run('pull_request_target')],
  ['a push', run('push')],
  ['a run that says nothing', {}],
])('blames no fork for %s', (_, env) => {
  expect(explainMissingSecrets(env)).toBeNull()
})
