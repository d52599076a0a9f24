import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { ApiAccess, ApiKeyHolder, ApiKeys } from '../identity/api-keys.ts';
import { SelsynError } from '../kernel/errors.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Overrides what the method asks for: `read` for GET and HEAD, `admin` for the others. */
    readonly access?: ApiAccess;
  }
}

const BEARER = /^Bearer +([A-Za-z0-9._~+/=-]+) *$/i;

/**
 * Asks every request of this scope for a key (RFC 6750) before anything of it is read, and keeps out `read` keys where
 * something would change.
 */
export function guardAccess(scope: FastifyInstance, apiKeys: Pick<ApiKeys, 'authenticate'>): AccessGuard {
  const guard = new AccessGuard(apiKeys);
  scope.addHook('onRequest', async (request) => {
    await guard.check(request);
  });
  return guard;
}

export class AccessGuard {
  readonly #apiKeys: Pick<ApiKeys, 'authenticate'>;
  readonly #holders = new WeakMap<FastifyRequest, ApiKeyHolder>();

  constructor(apiKeys: Pick<ApiKeys, 'authenticate'>) {
    this.#apiKeys = apiKeys;
  }

  /** @throws SelsynError `access.unauthenticated`, `access.denied` */
  async check(request: FastifyRequest): Promise<void> {
    const key = BEARER.exec(request.headers.authorization ?? '')?.[1];
    if (key === undefined) {
      throw new SelsynError('access.unauthenticated', 'the request needs a header "Authorization: Bearer KEY"');
    }
    const holder = await this.#apiKeys.authenticate(key);
    if (holder === undefined) throw new SelsynError('access.unauthenticated', 'this server does not know the key');
    const reads = request.method === 'GET' || request.method === 'HEAD';
    const needed = request.routeOptions.config.access ?? (reads ? 'read' : 'admin');
    if (needed === 'admin' && holder.access !== 'admin') {
      throw new SelsynError('access.denied', `the key "${holder.name}" may only read telemetry and devices`, {
        details: { access: holder.access },
      });
    }
    this.#holders.set(request, holder);
  }

  /** Who sent a request that was let in. */
  holderOf(request: FastifyRequest): ApiKeyHolder {
    const holder = this.#holders.get(request);
    if (holder === undefined) throw new SelsynError('internal', 'a route asked who calls, but stands outside of the guard');
    return holder;
  }
}
