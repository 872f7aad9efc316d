import { expect, test } from '@jest/globals'
import type { HttpRequest, HttpResponse } from '../../src/http/http-client.ts'
import { watchDate } from '../../src/rotate/date-watch.ts'

const NOW = Date.parse('2027-03-01T12:00:00Z')
const REQUEST: HttpRequest = { method: 'GET', url: new URL('https://api.example'), headers: {}, timeout: 1 }

test('the last Date counts, however wrong it is, and a response without a readable one changes nothing', async () => {
  const dates = [
    undefined,
    'Mon, 01 Mar 2027 12:00:05 GMT',
    'Sun, 01 Mar 2037 12:00:00 GMT',
    'soon',
    undefined,
  ]
  const responses: HttpResponse[] = dates.map((date) => ({
    status: 200,
    headers: date === undefined ? {} : { date },
    body: '',
  }))
  const left = [...responses]
  const { send, difference } = watchDate(
    async () => left.shift() as HttpResponse,
    () => NOW,
  )
  const seen = [difference()]
  for (const response of responses) {
    expect(await send(REQUEST)).toBe(response)
    seen.push(difference())
  }
  const decade = Date.parse('2037-03-01T12:00:00Z') - NOW
  expect(seen).toEqual([null, null, 5_000, decade, decade, decade])
})
