import { expect, test } from '@jest/globals'
import { whyNotListed } from '../../src/rotate/list-failure.ts'

const GATE =
  ' Something in front of the API answered, so api-key was not checked. Check api-url, or run the job again later.'

test.each([
  ['the API rejects api-key', { status: 401 }, 'The API rejected api-key: no. Replace it.'],
  ['a gate answers 401', { status: 401, notFromApi: true, retryable: true }, GATE],
  ['a gate answers 404', { status: 404, notFromApi: true, retryable: true }, GATE],
  ['the API knows no such path', { status: 404 }, ' Check api-url.'],
  ['the API is down', { status: 503, retryable: true }, ' Run the job again later, or raise timeout.'],
  ['the API refuses the list', { status: 403 }, ''],
])('says what to do if %s', (_, failure, advice) => {
  const message = whyNotListed(
    { message: 'no', mayHaveActed: false, retryable: false, ...failure },
    'Replace it.',
  )
  expect(message).toBe(
    advice.startsWith('The') ? advice : `Could not list the keys of the account: no.${advice}`,
  )
})
