import type { FastifyRequest } from 'fastify';
import { SelsynError } from '../kernel/errors.ts';
import type { Identities } from '../people/identities.ts';
import type { Identify } from './access-guard.ts';
import type { SessionCookie } from './session-cookie.ts';

const BASIC = /^Basic +([A-Za-z0-9+/=]+) *$/i;
const BEARER = /^Bearer +([A-Za-z0-9._~+/=-]+) *$/i;

/**
 * Who sends a request: by a key (RFC 6750), or by the cookie of a session. Where there is a key, the cookie is not looked at.
 *
 * @param options.basic takes a key also as the password of any user (RFC 7617), for programs that know nothing else
 */
export function identifyBy(
  identities: Pick<Identities, 'find'>,
  cookie: SessionCookie,
  options?: { readonly basic: boolean },
): Identify {
  return async (request, purpose) => {
    const { authorization } = request.headers;
    if (authorization !== undefined) {
      const key = BEARER.exec(authorization)?.[1] ?? (options?.basic === true ? passwordOf(authorization) : undefined);
      if (key === undefined) throw new SelsynError('access.unauthenticated', 'the header must be "Authorization: Bearer KEY"');
      const caller = await identities.find(key, addressOf(request), purpose);
      if (caller === undefined)
        throw new SelsynError('access.unauthenticated', 'this server does not know the key, or it has expired');
      return caller;
    }
    const token = cookie.read(request);
    if (token === undefined) {
      throw new SelsynError('access.unauthenticated', 'the request needs a header "Authorization: Bearer KEY", or a session');
    }
    cookie.ensureOwnPage(request);
    const caller = await identities.find(token, addressOf(request), purpose);
    if (caller === undefined) throw new SelsynError('access.unauthenticated', 'the session has ended: sign in again');
    return caller;
  };
}

function passwordOf(authorization: string): string | undefined {
  const pair = Buffer.from(BASIC.exec(authorization)?.[1] ?? '', 'base64').toString();
  const colon = pair.indexOf(':');
  return colon < 0 ? undefined : pair.slice(colon + 1);
}

/** An IPv4 address as such, also where it came in by an IPv6 socket. */
export function addressOf({ ip }: FastifyRequest): string {
  return ip.replace(/^::ffff:(?=\d+\.)/i, '');
}
