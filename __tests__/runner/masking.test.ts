import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { maskedForms } from '../../src/runner/masking.ts'

test('a key, and what common tools make of it', () => {
  expect(maskedForms('ab+/c')).toEqual(['ab+/c', 'YWIrL2M=', 'YWIrL2M', '61622b2f63', 'ab%2B%2Fc'])
  expect(maskedForms('a"b')).toContain('a\\"b')
  expect(maskedForms('??>>')).toEqual(expect.arrayContaining(['Pz8+Pg==', 'Pz8-Pg']))
})

test('each line of a key that has several', () => {
  expect(maskedForms('one\r\ntwo\n')).toEqual(expect.arrayContaining(['one', 'two']))
})

test('whatever the secret: every form is there, none is blank, none comes twice', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (secret) => {
      const forms = maskedForms(secret)
      expect(forms.every((form) => form.trim() !== '')).toBe(true)
      expect(new Set(forms).size).toBe(forms.length)
      if (secret.trim() === '') return
      const bytes = Buffer.from(secret)
      const expected = [secret, bytes.toString('hex'), bytes.toString('base64'), bytes.toString('base64url')]
      expect(forms).toEqual(expect.arrayContaining(expected))
    }),
  )
})
