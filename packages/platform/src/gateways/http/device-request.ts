import type { FastifyRequest } from 'fastify';
import { SelsynError } from '../../kernel/errors.ts';
import { clientCertificateOf } from '../mqtt/client-certificate.ts';
import { isLoopbackAddress } from './public-endpoints.ts';

const BEARER = /^Bearer +([A-Za-z0-9._~+/=-]+) *$/i;
const BASIC = /^Basic +([A-Za-z0-9+/]+={0,2}) *$/i;

/** An IPv4 address as such, also where it came in by an IPv6 socket. */
export function addressOf({ ip }: FastifyRequest): string {
  return ip.replace(/^::ffff:(?=\d+\.)/i, '');
}

/**
 * The provisioning token of a request: as the bearer's (RFC 6750), or as the password of HTTP Basic (RFC 7617), whose name says nothing.
 * Undefined where there is none; empty for what is no such header.
 */
export function shownToken({ headers: { authorization } }: FastifyRequest): string | undefined {
  if (authorization === undefined) return undefined;
  const bearer = BEARER.exec(authorization)?.[1];
  if (bearer !== undefined) return bearer;
  const pair = Buffer.from(BASIC.exec(authorization)?.[1] ?? '', 'base64').toString('utf8');
  return pair.slice(pair.indexOf(':') + 1);
}

/** The client certificate that the handshake has proved, DER; of a resumed session too. */
export function shownCertificate({ raw: { socket } }: FastifyRequest): Uint8Array | undefined {
  return clientCertificateOf(socket)?.der;
}

/** Whether nobody on the way can read it: over TLS, here or before a proxy that is trusted, or on this machine alone. */
function isPrivate(request: FastifyRequest): boolean {
  return request.protocol === 'https' || isLoopbackAddress(addressOf(request));
}

/** @throws SelsynError `request.insecure` */
export function ensurePrivate(request: FastifyRequest): void {
  if (isPrivate(request)) return;
  throw new SelsynError('request.insecure', 'what is sent here is secret: send it to the HTTPS port');
}
