/** Why GitHub may have given this run no secrets, by what a workflow run says about itself; else null. */
export function explainMissingSecrets({ GITHUB_ACTOR, GITHUB_EVENT_NAME = '' }: NodeJS.ProcessEnv): string | null {
  if (GITHUB_ACTOR === 'dependabot[bot]')
    return 'GitHub gives runs by Dependabot only Dependabot secrets; define it as one, or skip this job.'
  if (/^pull_request(_review(_comment)?)?$/.test(GITHUB_EVENT_NAME))
    return 'GitHub gives no secrets to pull requests from forks; skip this job for them. If this is none, check that the secret is defined.'
  return null
}
