// GitHub's secrets API on this machine, with one secret, for trying out rotate. It accepts only values that are
// encrypted for its key pair. Prints its URL and token as JSON.
//   GET  /__emulator/secret         what the secret holds
//   POST /__emulator/secret         puts the body into it
import { createServer } from 'node:http'
import { startGithubEmulator } from '../__tests__/support/github-emulator.ts'

const PLACE = 'repository'
const SECRET = 'SPHERESCOUT_API_KEY'
const [owner, repo] = (process.env.GITHUB_REPOSITORY ?? 'octo-org/octo-repo').split('/')
const repositoryId = Number(process.env.GITHUB_REPOSITORY_ID ?? 4711)

const { url, token, github } = await startGithubEmulator({
  ...(owner && repo && { owner, repo }),
  repositoryId,
})
const control = createServer(async (request, response) => {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  if (request.method === 'POST')
    github.addSecret(PLACE, SECRET, { value: Buffer.concat(chunks).toString('utf8') })
  response.end(github.secret(PLACE, SECRET)?.value ?? '')
})
control.listen(0, '127.0.0.1', () => {
  const address = control.address()
  const port = typeof address === 'object' && address ? address.port : 0
  console.log(JSON.stringify({ url, token, control: `http://127.0.0.1:${port}/__emulator/secret` }))
})
