import type { FastifyInstance, FastifyRequest, RouteOptions } from 'fastify';
import type { Actor } from '../audit/actor.ts';
import { isSelsynError, SelsynError } from '../kernel/errors.ts';
import { mayEverywhere, scopeOf, type Caller } from '../people/caller.ts';
import type { Permission } from '../people/permissions.ts';
import { EVERYTHING, NOTHING, type Scope } from '../registry/scope.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What the caller must have, somewhere. `signed-in`: nothing but to be known. Obligatory behind the guard. */
    readonly permission?: Permission | 'signed-in';
    /** The caller must have it at `/`: what the route is about belongs to no group. */
    readonly everything?: boolean;
  }
  interface FastifyRequest {
    /** Set by the guard; read it by `access(request)`. */
    selsynAccess: Access | null;
  }
}

/** Who sent a request that was let in, and where they may do what its route does. */
export interface Access {
  readonly actor: Actor;
  /** The nodes of the group tree in which the caller has the route's permission. Never empty, but for `signed-in`. */
  readonly scope: Scope;
  readonly caller: Caller;
  /** What it is now, for a stream that outlives the moment; undefined once the caller may not have it any more. */
  readonly renew: () => Promise<Access | undefined>;
}

/** `use` counts as the use of a key or session; `renewal` only asks whether it still holds. */
export type IdentifyPurpose = 'use' | 'renewal';

/** Finds out who sends a request. @throws SelsynError `access.unauthenticated` and others when nobody known does. */
export type Identify = (request: FastifyRequest, purpose: IdentifyPurpose) => Promise<Caller>;

/** Who sent this request, and the scope of the route's permission. Only for routes behind the guard. */
export function access(request: FastifyRequest): Access {
  const found = request.selsynAccess;
  if (found === null || found === undefined) {
    throw new SelsynError('internal', 'a route asked who calls, but stands outside of the guard');
  }
  return found;
}

/**
 * Lets nobody reach the routes of this scope without the permission that each names. All is decided before anything of a
 * request's body is read.
 *
 * @throws Error when a route is added that names no permission.
 */
export function guardAccess(scope: FastifyInstance, identify: Identify): void {
  scope.decorateRequest('selsynAccess', null);
  scope.addHook('onRoute', ensurePermission);
  scope.addHook('onRequest', async (request) => {
    request.selsynAccess = await admit(request, identify, 'use');
  });
}

async function admit(request: FastifyRequest, identify: Identify, purpose: IdentifyPurpose): Promise<Access> {
  const caller = await identify(request, purpose);
  return {
    actor: caller.actor,
    caller,
    scope: allowedScope(caller, request.routeOptions.config),
    renew: async () => {
      try {
        return await admit(request, identify, 'renewal');
      } catch (error) {
        if (isSelsynError(error, 'access.unauthenticated', 'access.denied')) return undefined;
        throw error;
      }
    },
  };
}

/** Where a caller may do what a route does. @throws SelsynError `access.denied` */
export function allowedScope(
  caller: Caller,
  { permission, everything }: { readonly permission?: Permission | 'signed-in'; readonly everything?: boolean },
): Scope {
  const { actor } = caller;
  if (permission === undefined) throw new SelsynError('internal', 'a route names no permission');
  if (permission === 'signed-in') return NOTHING;
  if (everything === true) {
    if (!mayEverywhere(caller, permission)) throw denied(actor, permission, ' at /');
    return EVERYTHING;
  }
  const scope = scopeOf(caller, permission);
  if (scope.groups.length === 0) throw denied(actor, permission, '');
  return scope;
}

function denied(actor: Actor, permission: Permission, where: string): SelsynError {
  return new SelsynError('access.denied', `${actor.name} does not have the permission ${permission}${where}`, {
    details: { permission },
  });
}

function ensurePermission({ method, url, config }: RouteOptions): void {
  if (config?.permission === undefined) {
    throw new Error(`the route ${String(method)} ${url} names no permission: add config: { permission: '...' }`);
  }
}
