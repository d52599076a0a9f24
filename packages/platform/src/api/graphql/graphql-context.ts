import { SelsynError } from '../../kernel/errors.ts';
import { mayAt, scopeOf, type Caller } from '../../people/caller.ts';
import type { Permission } from '../../people/permissions.ts';
import type { Scope } from '../../registry/scope.ts';
import type { Access } from '../access-guard.ts';
import type { ApiDependencies } from '../api-dependencies.ts';
import { newLoaders, type Loaders } from './loaders.ts';
import type { Subscriptions } from './subscriptions.ts';

/** What the fields of the schema need of the platform. */
export type GraphqlServices = Pick<
  ApiDependencies,
  'devices' | 'connectivity' | 'groups' | 'fleets' | 'people' | 'telemetry' | 'live' | 'state' | 'clock' | 'logLines'
>;

/** One request: who asks, what was loaded for it already, and how long it may take. */
export class GraphqlContext {
  readonly services: GraphqlServices;
  readonly subscriptions: Subscriptions;
  readonly signal: AbortSignal;
  #access: Access;
  #loaders: Loaders;

  constructor(options: {
    readonly services: GraphqlServices;
    readonly subscriptions: Subscriptions;
    readonly access: Access;
    readonly signal: AbortSignal;
  }) {
    this.services = options.services;
    this.subscriptions = options.subscriptions;
    this.signal = options.signal;
    this.#access = options.access;
    this.#loaders = newLoaders(options.services, options.signal);
  }

  get access(): Access {
    return this.#access;
  }

  get caller(): Caller {
    return this.#access.caller;
  }

  get loaders(): Loaders {
    return this.#loaders;
  }

  /** Where the caller may do it. @throws SelsynError `access.denied` where nowhere, as by REST */
  scope(permission: Permission): Scope {
    const scope = scopeOf(this.caller, permission);
    if (scope.groups.length > 0) return scope;
    const { name } = this.caller.actor;
    throw new SelsynError('access.denied', `${name} does not have the permission ${permission}`, { details: { permission } });
  }

  /**
   * Whether the caller may do it with what belongs to a group: what is out of their scope looks not there.
   *
   * @throws SelsynError `access.denied` where nowhere
   */
  may(permission: Permission, group: string): boolean {
    this.scope(permission);
    return mayAt(this.caller, permission, group);
  }

  /** Of a subscription: what it shows next is of a later moment. */
  forget(): void {
    this.#loaders = newLoaders(this.services, this.signal);
  }

  /** Of a subscription: what the caller may now. @returns false where they are known no more. */
  async renew(): Promise<boolean> {
    const access = await this.#access.renew();
    if (access === undefined) return false;
    this.#access = access;
    return true;
  }
}
