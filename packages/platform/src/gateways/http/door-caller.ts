import type { FastifyRequest } from 'fastify';
import { SelsynError } from '../../kernel/errors.ts';
import type { Caller } from '../../people/caller.ts';
import type { Identities } from '../../people/identities.ts';
import { SESSION_START } from '../../people/sessions.ts';
import { addressOf } from './device-request.ts';

const SCHEME = /^(Token|Bearer|Basic) +(\S+) *$/i;

/**
 * The API key that a program shows which knows nothing of this platform: as `Bearer KEY` (RFC 6750), as InfluxDB's `Token KEY` or
 * `Token NAME:KEY`, as the password of HTTP Basic (RFC 7617), or in the query as InfluxDB 1 has it, `u=NAME&p=KEY`. The name says nothing.
 * Cookies are not looked at: no web page writes through the browser of somebody who is signed in.
 *
 * Undefined where there is none; empty for a header that is none of these.
 */
export function shownKey({ headers: { authorization }, query }: Pick<FastifyRequest, 'headers' | 'query'>): string | undefined {
  if (authorization === undefined) {
    const { p } = query as Readonly<Record<string, unknown>>; // as the parser of queries makes it
    return typeof p === 'string' ? p : undefined;
  }
  const [, scheme, value = ''] = SCHEME.exec(authorization) ?? [];
  if (scheme === undefined) return '';
  const pair = scheme.toLowerCase() === 'basic' ? Buffer.from(value, 'base64').toString('utf8') : value;
  if (scheme.toLowerCase() === 'bearer') return pair;
  return pair.slice(pair.indexOf(':') + 1);
}

/** Who sends a request to a door. @throws SelsynError `access.unauthenticated` */
export async function callerOf(request: FastifyRequest, identities: Pick<Identities, 'find'>): Promise<Caller> {
  const key = shownKey(request);
  if (key === undefined || key === '' || key.startsWith(SESSION_START)) {
    throw new SelsynError('access.unauthenticated', 'an API key is required: as "Authorization: Token KEY", Bearer or Basic');
  }
  const caller = await identities.find(key, addressOf(request));
  if (caller === undefined)
    throw new SelsynError('access.unauthenticated', 'this server does not know the key, or it has expired');
  return caller;
}
