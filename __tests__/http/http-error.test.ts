import { describe, expect, test } from '@jest/globals'
import { describeError, type HttpError, type NodeError } from '../../src/http/http-error.ts'

const nodeError = (code: string | undefined, more: Partial<NodeError> = {}): NodeError =>
  Object.assign(new Error('a message of Node'), { ...(code && { code }), ...more })

/** An error as OpenSSL reports it through Node: the reason is in the message alone. */
const eproto = (reason: string) =>
  nodeError('EPROTO', {
    message: `write EPROTO 80AC25FC:error:0A000410:SSL routines:ssl3_read_bytes:${reason}:../deps/x.c:1605:SSL alert number 40\n`,
  })

const told = ({ mayHaveActed, retryable, message }: HttpError) => [mayHaveActed, retryable, message]

describe('an error before the connection is complete proves that nothing was done', () => {
  test.each<[NodeError, boolean, string]>([
    [nodeError('ECONNREFUSED'), true, 'the connection failed (ECONNREFUSED)'],
    [nodeError('ECONNRESET'), true, 'the connection failed (ECONNRESET)'],
    [nodeError(undefined), true, 'the connection failed (closed early)'],
    [
      nodeError('ETIMEDOUT', {
        errors: ['ETIMEDOUT', 'ENETUNREACH', 'ENETUNREACH'].map((code) => nodeError(code)),
      }),
      true,
      'the connection failed (ETIMEDOUT, ENETUNREACH)',
    ],
    [nodeError('ENOTFOUND'), true, 'its name does not exist (ENOTFOUND); check its spelling'],
    [nodeError('EAI_AGAIN'), true, 'its name could not be resolved (EAI_AGAIN)'],
    [
      eproto('tlsv1 alert internal error'),
      true,
      'the TLS handshake failed (EPROTO, tlsv1 alert internal error)',
    ],
    [nodeError('EPROTO'), true, 'the TLS handshake failed (EPROTO, TLS)'],
    // The server's word about a certificate of ours, not ours about the server's.
    [
      nodeError('ERR_SSL_TLSV1_ALERT_CERTIFICATE_EXPIRED'),
      true,
      'the TLS handshake failed (ERR_SSL_TLSV1_ALERT_CERTIFICATE_EXPIRED)',
    ],
    [nodeError('ERR_SSL_NO_CIPHER_MATCH'), true, 'the TLS handshake failed (ERR_SSL_NO_CIPHER_MATCH)'],
    [
      eproto('ssl/tls alert handshake failure'),
      false,
      'the TLS handshake failed (EPROTO, ssl/tls alert handshake failure); it may require a client certificate',
    ],
    [
      nodeError('ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE'),
      false,
      'the TLS handshake failed (ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE); it may require a client certificate',
    ],
    [
      eproto('wrong version number'),
      false,
      'the TLS handshake failed (EPROTO, wrong version number); it does not speak TLS on this port',
    ],
    [
      eproto('sslv3 alert bad certificate'),
      false,
      'requires a client certificate (EPROTO, sslv3 alert bad certificate)',
    ],
  ])('%s', (error, retryable, message) => {
    expect(told(describeError(error, false))).toEqual([false, retryable, message])
  })

  test.each([
    ['DEPTH_ZERO_SELF_SIGNED_CERT', /if a private CA signed it, set NODE_EXTRA_CA_CERTS/],
    ['SELF_SIGNED_CERT_IN_CHAIN', /NODE_EXTRA_CA_CERTS/],
    ['UNABLE_TO_GET_ISSUER_CERT', /NODE_EXTRA_CA_CERTS/],
    ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', /NODE_EXTRA_CA_CERTS/],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', /NODE_EXTRA_CA_CERTS/],
    ['CERT_HAS_EXPIRED', /\); it is outside its dates; check the clock of this runner$/],
    ['CERT_NOT_YET_VALID', /clock of this runner$/],
    ['ERR_TLS_CERT_ALTNAME_INVALID', /\(ERR_TLS_CERT_ALTNAME_INVALID\)$/],
    ['PATH_LENGTH_EXCEEDED', /\(PATH_LENGTH_EXCEEDED\)$/],
    ['CERT_REVOKED', /^its certificate was not accepted \(CERT_REVOKED\)$/],
    ['INVALID_CA', /^its certificate was not accepted \(INVALID_CA\)$/],
    ['CERT_SIGNATURE_FAILURE', /^its certificate was not accepted \(CERT_SIGNATURE_FAILURE\)$/],
    ['UNSPECIFIED', /^its certificate was not accepted \(UNSPECIFIED\)$/],
  ])('the certificate error %s gets the hint that helps with it, and is permanent', (code, message) => {
    const error = describeError(nodeError(code), false)
    expect(told(error)).toEqual([false, false, expect.stringMatching(message)])
  })
})

describe('an error after the connection is complete may hide that the request was carried out', () => {
  test.each<[NodeError, boolean, boolean, string]>([
    [nodeError('ECONNRESET'), true, true, 'closed the connection before it answered (ECONNRESET)'],
    [nodeError('EPIPE'), true, true, 'closed the connection before it answered (EPIPE)'],
    [
      nodeError('HPE_HEADER_OVERFLOW'),
      true,
      false,
      'answered with HTTP that Node refuses (HPE_HEADER_OVERFLOW)',
    ],
    [
      nodeError('ERR_SSL_SSLV3_ALERT_BAD_RECORD_MAC'),
      true,
      true,
      'closed the connection before it answered (ERR_SSL_SSLV3_ALERT_BAD_RECORD_MAC)',
    ],
    // TLS itself proves that these two servers read no request.
    [
      nodeError('ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED'),
      false,
      false,
      'requires a client certificate (ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED)',
    ],
  ])('%s', (error, acted, retryable, message) => {
    expect(told(describeError(error, true))).toEqual([acted, retryable, message])
  })

  test('names the proxy it came through', () => {
    const { message } = describeError(nodeError('ECONNRESET'), true, ' (through the proxy p:3128)')
    expect(message).toBe('closed the connection before it answered (ECONNRESET) (through the proxy p:3128)')
  })
})

test('only a name that does not exist is marked as one', () => {
  const isUnknown = (code: string) => Boolean(describeError(nodeError(code), false).isUnknownHost)
  expect(['ENOTFOUND', 'EAI_AGAIN', 'ECONNREFUSED'].map(isUnknown)).toEqual([true, false, false])
})
