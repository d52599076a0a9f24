import { createServer, type SecureContextOptions, type Server, type TLSSocket } from 'node:tls';
import type { ClientCertificates, TlsMaterial } from './tls-material.ts';

/** Names that are answered where a client offers any; a client that offers only others gets the alert no_application_protocol. */
export const MQTT_ALPN: readonly string[] = ['x-amzn-mqtt-ca', 'mqtt'];
export const WEBSOCKET_ALPN: readonly string[] = ['http/1.1'];

export interface TlsHandshakeOptions {
  readonly material: TlsMaterial;
  readonly clientCertificates: ClientCertificates;
  readonly alpn: readonly string[];
  readonly onSecure: (socket: TLSSocket) => void;
  readonly onFailed: (error: Error) => void;
}

/**
 * TLS 1.2 and 1.3 for sockets that are given to it as `connection` events; it has no port of its own.
 * Its halves end one by one where those of the socket below do.
 */
export function newTlsHandshake({ material, clientCertificates, alpn, onSecure, onFailed }: TlsHandshakeOptions): Server {
  const server = createServer({
    ...secureContextOptions(material, MQTT_SESSIONS),
    ALPNProtocols: [...alpn],
    requestCert: clientCertificates !== 'none',
    // Where a certificate is optional, what does not verify is handed on as such: the Authorizer may know it all the same.
    rejectUnauthorized: clientCertificates === 'required',
  });
  server.on('secureConnection', onSecure);
  server.on('tlsClientError', onFailed);
  return server;
}

/** New handshakes use it; open connections and handshakes under way keep what they began with. */
export function renewTls(server: Server, material: TlsMaterial): void {
  server.setSecureContext(secureContextOptions(material, MQTT_SESSIONS));
}

/** @param sessions a ticket of one kind resumes no session of another */
export function secureContextOptions(
  material: TlsMaterial,
  sessions: string,
): SecureContextOptions & { readonly ticketKeys: Buffer } {
  return {
    cert: material.certificate,
    key: material.privateKey,
    ca: [...material.clientAuthorities],
    minVersion: 'TLSv1.2',
    // Sessions are resumed by tickets alone: nothing is kept here for a client that is gone.
    ticketKeys: Buffer.from(material.ticketKeys),
    sessionIdContext: sessions,
    sessionTimeout: SESSION_SEC,
  };
}

const MQTT_SESSIONS = 'selsyn-mqtt';
const SESSION_SEC = 7_200;
