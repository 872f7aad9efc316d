import { isIP } from 'node:net'
import { generate } from 'selfsigned'

/** PEM texts: a private CA, and the key and certificate of a server that it certified. */
export interface Certificates {
  ca: string
  key: string
  cert: string
}

const HOUR_MS = 3_600_000

/**
 * Makes a new CA and has it sign a server certificate for `hosts` (names or IP addresses). The certificate is valid for
 * a day, or as many milliseconds from now as `expiresIn` says, which may be negative.
 */
export async function makeCertificates(hosts: string[], expiresIn = 24 * HOUR_MS): Promise<Certificates> {
  const validity = {
    notBeforeDate: new Date(Date.now() - 48 * HOUR_MS),
    notAfterDate: new Date(Date.now() + 24 * HOUR_MS),
    keyType: 'ec' as const,
    curve: 'P-256' as const,
    algorithm: 'sha256',
  }
  const ca = await generate([{ name: 'commonName', value: 'Test CA' }], {
    ...validity,
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
    ],
  })
  const server = await generate([{ name: 'commonName', value: hosts[0] ?? 'localhost' }], {
    ...validity,
    notAfterDate: new Date(Date.now() + expiresIn),
    ca: { key: ca.private, cert: ca.cert },
    extensions: [
      { name: 'basicConstraints', cA: false },
      { name: 'extKeyUsage', serverAuth: true },
      {
        name: 'subjectAltName',
        altNames: hosts.map((host) => (isIP(host) ? { type: 7, ip: host } : { type: 2, value: host })),
      },
    ],
  })
  return { ca: ca.cert, key: server.private, cert: server.cert }
}
