import type { FastifyInstance, FastifyReply } from 'fastify';
import { contentSecurityPolicy } from './content-security-policy.ts';

/**
 * What tells browsers to be careful with every answer. HTTPS is the business of whoever stands in front, so nothing insists on it here.
 *
 * Made once: a plugin that put the same headers together for each answer, and a closure on each reply, cost as much as all else of a
 * small request, and V8 took what it left behind for alive until the next major collection: each minor one copied all requests since.
 */
const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  'Content-Security-Policy': contentSecurityPolicy(),
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Origin-Agent-Cluster': '?1',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
  'X-DNS-Prefetch-Control': 'off',
  'X-Download-Options': 'noopen',
  'X-Frame-Options': 'SAMEORIGIN',
  'X-Permitted-Cross-Domain-Policies': 'none',
  // The filter that some old browsers had could be turned against the page.
  'X-XSS-Protection': '0',
};

/** Adds them to every answer of the routes, and to those of addresses where there is none. A route may give others. */
export function secureHeaders(app: FastifyInstance): void {
  app.addHook('onRequest', (_request, reply, done) => {
    withSecureHeaders(reply);
    done();
  });
}

/** For answers that are given before any hook is called. */
export function withSecureHeaders(reply: FastifyReply): FastifyReply {
  return reply.headers(SECURITY_HEADERS);
}
