/** Where a secret is stored. */
export interface Place {
  kind: 'repository' | 'environment' | 'organization' | 'dependabot' | 'codespaces'
  /** The environment's or the organization's name; empty for the other kinds. */
  name: string
}

/** The repository, for the URL of a secret. */
export interface Repository {
  owner: string
  repo: string
  /** Its numeric id, which older servers require for environments. */
  id: string
}

/** The paths of a place's secrets, the usual one first; an Enterprise Server may know environments by id only. */
export function secretsPaths({ kind, name }: Place, { owner, repo, id }: Repository): string[] {
  const escaped = encodeURIComponent(name)
  const repository = `/repos/${encodeURIComponent(owner)}/${encodeURIComponent(repo)}`
  switch (kind) {
    case 'environment':
      return [repository, `/repositories/${encodeURIComponent(id)}`].map(
        (base) => `${base}/environments/${escaped}/secrets`,
      )
    case 'organization':
      return [`/orgs/${escaped}/actions/secrets`]
    case 'repository':
      return [`${repository}/actions/secrets`]
    default:
      return [`${repository}/${kind}/secrets`]
  }
}

/** The permission that a fine-grained token or an App needs, by its name in GitHub's settings. */
export function permissionFor({ kind }: Place): string {
  return {
    repository: 'Secrets: write',
    environment: 'Secrets: write and Environments: write',
    organization: 'organization permission Secrets: write',
    dependabot: 'Dependabot secrets: write',
    codespaces: 'Codespaces secrets: write',
  }[kind]
}

/** The place in words, for messages. */
export function placeLabel({ kind, name }: Place): string {
  return {
    repository: 'the repository',
    environment: `the environment ${JSON.stringify(name)}`,
    organization: `the organization ${name}`,
    dependabot: "the repository's Dependabot secrets",
    codespaces: "the repository's Codespaces secrets",
  }[kind]
}
