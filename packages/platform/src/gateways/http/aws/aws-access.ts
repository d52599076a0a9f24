import { isDeviceId, type DeviceId } from '../../../kernel/device-id.ts';
import { mayEverywhere, scopeOf } from '../../../people/caller.ts';
import type { Permission } from '../../../people/permissions.ts';
import { scopeIncludes } from '../../../registry/scope.ts';
import type { AwsCaller } from './aws-caller.ts';
import { AwsError, forbidden, noThing } from './aws-error.ts';
import { deviceOfTopic, isForEnrolment, isForTheServer, writesBy } from './device-of-topic.ts';

/** Says in which group a device stands. */
export interface DeviceGroups {
  groupOf(ids: Iterable<DeviceId>): Promise<ReadonlyMap<DeviceId, string>>;
}

/** What an operation on a thing is allowed by: for a program a permission, for a device what it would do by MQTT. */
export interface ThingNeeds {
  readonly permission: Permission;
  readonly publish?: string;
  /** A topic. */
  readonly receive?: string;
  /** A filter. */
  readonly subscribe?: string;
}

/** Decides what a caller may do: a device by the topics of its policies, a program by its roles. */
export class AwsAccess {
  readonly #groups: DeviceGroups;

  constructor(dependencies: { readonly devices: DeviceGroups }) {
    this.#groups = dependencies.devices;
  }

  /**
   * @throws AwsError InvalidRequestException for what is no name of a thing; ForbiddenException; ResourceNotFoundException for a thing
   * outside of the groups of a program, as for one that is not there
   */
  async ensureThing(caller: AwsCaller, thing: string, needs: ThingNeeds): Promise<DeviceId> {
    if (!isDeviceId(thing)) throw new AwsError('InvalidRequestException', 'Invalid thing name');
    if (caller.kind === 'device') {
      const { access } = caller;
      const { publish, receive, subscribe } = needs;
      const may =
        (publish === undefined || access.mayPublish(publish)) &&
        (receive === undefined || access.mayReceive(receive)) &&
        (subscribe === undefined || access.maySubscribe(subscribe));
      if (!may) throw forbidden();
      return thing;
    }
    if (!(await this.#sees(caller, needs.permission, [thing])).has(thing)) throw noThing();
    return thing;
  }

  /** @throws AwsError ResourceNotFoundException */
  async ensureKnown(thing: DeviceId): Promise<void> {
    await this.groupOf(thing);
  }

  /** @throws AwsError ResourceNotFoundException */
  async groupOf(thing: DeviceId): Promise<string> {
    const group = (await this.#groups.groupOf([thing])).get(thing);
    if (group === undefined) throw noThing();
    return group;
  }

  /** @throws AwsError ForbiddenException */
  async ensureTopic(caller: AwsCaller, topic: string, what: 'publish' | 'retain' | 'read'): Promise<void> {
    if (what !== 'read' && isForEnrolment(topic)) throw forbidden();
    if (caller.kind === 'device') {
      const { access } = caller;
      const may =
        what === 'read' ? mayRead(access, topic) : access.mayPublish(topic) && (what === 'publish' || access.mayRetain(topic));
      if (!may) throw forbidden();
      return;
    }
    if (what !== 'read' && isForTheServer(topic)) throw forbidden();
    const needed: readonly (Permission | undefined)[] = what === 'read' ? ['messages:read'] : ['messages:write', writesBy(topic)];
    for (const permission of needed) {
      if (permission !== undefined && !(await this.#visible(caller, permission, [topic])).has(topic)) throw forbidden();
    }
  }

  /** Those of the topics that the caller may read. */
  async readable(caller: AwsCaller, topics: readonly string[]): Promise<ReadonlySet<string>> {
    if (caller.kind === 'device') return new Set(topics.filter((topic) => mayRead(caller.access, topic)));
    return await this.#visible(caller, 'messages:read', topics);
  }

  /** Those of the devices, by whom clients signed in, that a program may see. Devices may see no clients: AWS has it as actions of their own. */
  async seen(caller: AwsCaller, permission: Permission, devices: readonly string[]): Promise<ReadonlySet<string>> {
    if (caller.kind === 'device') throw forbidden();
    return await this.#sees(caller, permission, devices);
  }

  /** Whether a program has a permission anywhere. @throws AwsError ForbiddenException, for a device always */
  ensureSomewhere(caller: AwsCaller, permission: Permission): void {
    if (caller.kind === 'device' || scopeOf(caller.caller, permission).groups.length === 0) throw forbidden();
  }

  async #visible(
    { caller }: Extract<AwsCaller, { kind: 'program' }>,
    permission: Permission,
    topics: readonly string[],
  ): Promise<ReadonlySet<string>> {
    if (mayEverywhere(caller, permission)) return new Set(topics);
    const scope = scopeOf(caller, permission);
    if (scope.groups.length === 0) return new Set();
    const deviceOf = new Map(topics.map((topic) => [topic, deviceOfTopic(topic)]));
    const groups = await this.#groups.groupOf([...deviceOf.values()].filter((device) => device !== undefined));
    return new Set(
      topics.filter((topic) => {
        const device = deviceOf.get(topic);
        const group = device === undefined ? undefined : groups.get(device);
        return group !== undefined && scopeIncludes(scope, group);
      }),
    );
  }

  /** A permission that is lacking everywhere is told; what is outside of where it holds looks not there. */
  async #sees(
    { caller }: Extract<AwsCaller, { kind: 'program' }>,
    permission: Permission,
    devices: readonly string[],
  ): Promise<ReadonlySet<string>> {
    if (mayEverywhere(caller, permission)) return new Set(devices);
    const scope = scopeOf(caller, permission);
    if (scope.groups.length === 0) throw forbidden();
    const groups = await this.#groups.groupOf(devices.filter(isDeviceId));
    return new Set(
      devices.filter((device) => {
        const group = groups.get(device as DeviceId);
        return group !== undefined && scopeIncludes(scope, group);
      }),
    );
  }
}

/** What may be subscribed to, and received, may be read. */
function mayRead(access: Extract<AwsCaller, { kind: 'device' }>['access'], topic: string): boolean {
  return access.maySubscribe(topic) && access.mayReceive(topic);
}
