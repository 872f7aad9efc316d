/** How a request failed. `protocol`: the server speaks something that this client does not. */
export type HttpErrorKind =
  | 'unknown-host'
  | 'dns'
  | 'refused'
  | 'certificate'
  | 'proxy'
  | 'timeout'
  | 'cut'
  | 'protocol'

const PERMANENT: HttpErrorKind[] = ['certificate', 'proxy', 'protocol']

/** `mayHaveActed` is false only if none of the request can have reached the server. */
export class HttpError extends Error {
  readonly kind: HttpErrorKind
  readonly mayHaveActed: boolean
  retryable: boolean

  constructor(kind: HttpErrorKind, mayHaveActed: boolean, message: string) {
    super(message)
    this.kind = kind
    this.mayHaveActed = mayHaveActed
    this.retryable = !PERMANENT.includes(kind)
  }
}

/** An error of Node's, with one error per address if a host has several. */
export interface NodeError extends NodeJS.ErrnoException {
  errors?: NodeJS.ErrnoException[]
}

const CERTIFICATE = /^(?!ERR_SSL).*(CERT|SIGNATURE|UNABLE_TO|INVALID_|MISMATCH|PATH_LENGTH|UNSPECIFIED)/
const CERTIFICATE_HINTS: [codes: RegExp, hint: string][] = [
  [/GET_ISSUER|SELF_SIGNED|LEAF/, 'if a private CA signed it, set NODE_EXTRA_CA_CERTS to the file of that CA'],
  [/EXPIRED|NOT_YET/, 'it is outside its dates; check the clock of this runner'],
]

interface Details {
  hint?: string | undefined
  acted?: boolean
  retryable?: boolean
}

/** `connected`: TLS included. `via` names the proxy. */
export function describeError(error: NodeError, connected: boolean, via = ''): HttpError {
  const list = (error.errors ?? [error]).map(({ code }) => code ?? 'closed early')
  // EPROTO alone says nothing; OpenSSL's reason is in the message.
  if (list[0] === 'EPROTO') list.push(/SSL routines:[^:]*:([^:]+)/.exec(error.message)?.[1] ?? 'TLS')
  const codes = [...new Set(list)].join(', ')
  const failure = (kind: HttpErrorKind, what: string, { hint = '', acted = connected, ...rest }: Details = {}) =>
    Object.assign(new HttpError(kind, acted, `${what} (${codes})${via}${hint && `; ${hint}`}`), rest)

  // The server has read no request then, even if our handshake was complete (TLS 1.3).
  if (/alert.(certificate.required|bad.certificate)/i.test(codes))
    return failure('certificate', 'requires a client certificate', { acted: false })
  if (codes.startsWith('HPE_')) return failure('protocol', 'answered with something that is not HTTP')
  if (connected) return failure('cut', 'closed the connection before it answered')
  if (codes === 'ENOTFOUND') return failure('unknown-host', 'its name does not exist', { hint: 'check its spelling' })
  if (codes === 'EAI_AGAIN') return failure('dns', 'its name could not be resolved')
  if (CERTIFICATE.test(codes)) {
    const hint = CERTIFICATE_HINTS.find(([pattern]) => pattern.test(codes))?.[1]
    return failure('certificate', 'its certificate was not accepted', { hint })
  }
  if (/wrong.version.number|packet.length/i.test(codes)) return failure('protocol', 'does not speak TLS on this port')
  if (!/^EPROTO|^ERR_(TLS|SSL)/.test(codes)) return failure('refused', 'the connection failed')
  // A load balancer that restarts does not end handshakes with these.
  const refused = /alert.(handshake.failure|protocol.version)/i.test(codes)
  const hint = refused ? 'it may require a client certificate' : ''
  return failure('refused', 'the TLS handshake failed', { hint, acted: false, retryable: !refused })
}
