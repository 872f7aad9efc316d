import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { MIN_CREDENTIAL_LENGTH, maskedForms } from '../../src/runner/masking.ts'

test('masks a key and what common tools make of it', () => {
  expect(maskedForms('ab+/c')).toEqual(['ab+/c', 'YWIrL2M=', 'YWIrL2M', '61622b2f63', 'ab%2B%2Fc'])
  expect(maskedForms('a"b')).toContain('a\\"b')
  expect(maskedForms('??>>')).toEqual(expect.arrayContaining(['Pz8+Pg==', 'Pz8-Pg']))
})

test('masks each line of a key that has several', () => {
  expect(maskedForms('one\r\ntwo\n')).toEqual(expect.arrayContaining(['one', 'two']))
})

test('masks every form of any secret of three characters once, and never a blank one', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (secret) => {
      const forms = maskedForms(secret)
      expect(forms.every((form) => form.trim() !== '')).toBe(true)
      expect(new Set(forms).size).toBe(forms.length)
      if (secret.trim().length < 3) return expect(forms).toEqual([])
      if (secret.split(/[\r\n]+/).some((line) => line !== '' && line.length < 3)) return
      const bytes = Buffer.from(secret)
      const expected = [secret, bytes.toString('hex'), bytes.toString('base64'), bytes.toString('base64url')]
      expect(forms).toEqual(expect.arrayContaining(expected))
    }),
  )
})

describe('with a shortest length', () => {
  const forms = (secret: string) => maskedForms(secret, MIN_CREDENTIAL_LENGTH)

  test.each(['true', '1', '1234567', 'a\nb', ' '])('masks nothing of %j', (secret) => {
    expect(forms(secret)).toEqual([])
  })

  test('masks a value of 8 characters', () => {
    expect(forms('12345678')).toContain('12345678')
  })

  test('masks the long lines of a JSON document, but neither its braces nor the whole, which the runner splits', () => {
    const secret = '{\n  "key": "0123456789"\n}'
    expect(forms(secret)).toContain('  "key": "0123456789"')
    expect(forms(secret)).not.toContain(secret)
  })

  test('never makes the runner mask a line of fewer characters', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('a', '{', '\n', '\r', ' ', '9'), maxLength: 40 }),
        (secret) => {
          const lines = forms(secret).flatMap((form) => form.split(/[\r\n]+/))
          for (const line of lines)
            if (line !== '') expect(line.length).toBeGreaterThanOrEqual(MIN_CREDENTIAL_LENGTH)
        },
      ),
    )
  })
})
