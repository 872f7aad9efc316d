import { isIP } from 'node:net'
import { generate } from 'selfsigned'

/** PEM texts: a private CA, and the key and certificate of a server that it signed. */
export interface Certificates {
  ca: string
  key: string
  cert: string
}

/** Makes a CA of its own and has it sign a server certificate for `hosts` (names or IP addresses), valid for a day. */
export async function makeCertificates(hosts: string[]): Promise<Certificates> {
  const validity = {
    notBeforeDate: new Date(Date.now() - 3_600_000),
    notAfterDate: new Date(Date.now() + 24 * 3_600_000),
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
