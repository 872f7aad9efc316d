/** `mayHaveActed` is false only if none of the request can have reached the server. */
export class HttpError extends Error {
  readonly mayHaveActed: boolean
  readonly retryable: boolean
  /** The name of the host does not exist. */
  declare isUnknownHost?: boolean
  /** A 2xx response that was cut. */
  declare unusable?: boolean

  constructor(message: string, mayHaveActed: boolean, retryable = true) {
    super(message)
    this.mayHaveActed = mayHaveActed
    this.retryable = retryable
  }
}

/** An error of Node's, with one error per address if a host has several. */
export type NodeError = NodeJS.ErrnoException & { errors?: NodeJS.ErrnoException[] }

const CERTIFICATE = /^(?!ERR_SSL).*(CERT|SIGNATURE|UNABLE_TO|INVALID_|MISMATCH|PATH_LENGTH|UNSPECIFIED)/
const HINTS: [codes: RegExp, hint: string][] = [
  [/GET_ISSUER|SELF_SIGNED|LEAF/, 'if a private CA signed it, set NODE_EXTRA_CA_CERTS to a lasting file of that CA'],
  [/HAS_EXPIRED|NOT_YET/, 'it is outside its dates; check the clock of this runner'],
  [/alert.(handshake.failure|protocol.version)/i, 'it may require a client certificate'],
  [/wrong.version.number|packet.length/i, 'it does not speak TLS on this port'],
]

/** `connected`: TLS included. `via` names the proxy. */
export function describeError(error: NodeError, connected: boolean, via = ''): HttpError {
  const list = (error.errors ?? [error]).map(({ code }) => code ?? 'closed early')
  // EPROTO alone says nothing; OpenSSL's reason is in the message.
  if (list[0] === 'EPROTO') list.push(/SSL routines:[^:]*:([^:]+)/.exec(error.message)?.[1] ?? 'TLS')
  const codes = [...new Set(list)].join(', ')
  const failure = (what: string, { hint = '', acted = connected, retryable = true } = {}) =>
    new HttpError(`${what} (${codes})${via}${hint && `; ${hint}`}`, acted, retryable)

  // The server read no request, even if our handshake was complete (TLS 1.3).
  if (/alert.(certificate.required|bad.certificate)/i.test(codes))
    return failure('requires a client certificate', { acted: false, retryable: false })
  if (codes.startsWith('HPE_')) return failure('answered with HTTP that Node refuses', { retryable: false })
  if (connected) return failure('closed the connection before it answered')
  if (codes === 'ENOTFOUND')
    return Object.assign(failure('its name does not exist', { hint: 'check its spelling' }), { isUnknownHost: true })
  if (codes === 'EAI_AGAIN') return failure('its name could not be resolved')
  const hint = HINTS.find(([pattern]) => pattern.test(codes))?.[1] ?? ''
  if (CERTIFICATE.test(codes)) return failure('its certificate was not accepted', { hint, retryable: false })
  if (!/^EPROTO|^ERR_(TLS|SSL)/.test(codes)) return failure('the connection failed')
  // A load balancer that restarts does not end handshakes with these.
  return failure('the TLS handshake failed', { hint, retryable: hint === '' })
}
