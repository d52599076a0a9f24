import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { ClientCertificate } from '../../broker/authorizer.ts';

/** The certificate that the client of a TLS socket showed. Also that of a resumed session, which carries it. */
export function clientCertificateOf(socket: Socket): ClientCertificate | undefined {
  if (!(socket instanceof TLSSocket)) return undefined;
  const der = socket.getPeerX509Certificate()?.raw;
  return der === undefined ? undefined : { der, verified: socket.authorized };
}
