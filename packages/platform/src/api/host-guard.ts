import { isIP } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { FastifyInstance } from 'fastify';
import { SelsynError } from '../kernel/errors.ts';

/**
 * Refuses requests that name a foreign host, so that a web page cannot reach a server on loopback through a name of its
 * own that it made to point there (DNS rebinding). Addresses, `localhost`, `*.localhost` (RFC 6761) and `allowed` pass, and whatever
 * comes over TLS: for a name that is not its own this server has no certificate.
 */
export function guardHost(app: FastifyInstance, allowed: readonly string[]): void {
  const names = new Set(allowed.map((name) => name.toLowerCase()));
  app.addHook('onRequest', async (request) => {
    if (request.raw.socket instanceof TLSSocket) return;
    const host = hostName(request.headers.host ?? '');
    if (host === undefined || !(isIP(host) !== 0 || host === 'localhost' || host.endsWith('.localhost') || names.has(host))) {
      throw new SelsynError(
        'request.misdirected',
        'this host name is not served here: use an address or localhost, or add the name to the setting http.allowedHosts',
        {
          details: { host: (request.headers.host ?? '').slice(0, 253) },
        },
      );
    }
  });
}

/** The host of `host[:port]` in lower case, an IPv6 address without its brackets (RFC 3986, 3.2.2); undefined for what is none. */
function hostName(header: string): string | undefined {
  const match = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::\d{1,5})?$/i.exec(header);
  const host = match?.[1] ?? match?.[2];
  return host?.toLowerCase().replace(/\.$/, '');
}
