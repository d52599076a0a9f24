import type { Database } from '../../database/schema.ts';
import type { DeviceId } from '../../kernel/device-id.ts';
import { isSelsynError } from '../../kernel/errors.ts';
import type { DeviceFilter } from '../../registry/device-search.ts';
import type { DeviceStore } from '../../registry/device-store.ts';
import { membersOf, type FleetStore } from '../../registry/fleet-store.ts';
import { isWithin } from '../../registry/group-path.ts';
import type { Scope } from '../../registry/scope.ts';
import type { Walk } from './job-progress.ts';
import type { JobTarget } from './job-targets.ts';
import type { StoredJob } from './stored-job.ts';

type Meant = Pick<StoredJob, 'targets' | 'group'>;

/** Finds the devices that jobs are meant for: those of their targets that are in the job's group or below. */
export class TargetReader {
  readonly #devices: Pick<DeviceStore, 'list' | 'among' | 'groupOf'>;
  readonly #fleets: Pick<FleetStore, 'get'>;
  readonly #registry: Database;

  constructor(dependencies: {
    readonly devices: Pick<DeviceStore, 'list' | 'among' | 'groupOf'>;
    readonly fleets: Pick<FleetStore, 'get'>;
    /** To be read. */
    readonly registry: Database;
  }) {
    this.#devices = dependencies.devices;
    this.#fleets = dependencies.fleets;
    this.#registry = dependencies.registry;
  }

  /** Some of the devices, and where the walk goes on; a device in several targets comes several times. */
  async page(
    job: Meant,
    walk: Walk,
    limit: number,
  ): Promise<{ readonly devices: readonly DeviceId[]; readonly next: Walk | undefined }> {
    const target = job.targets[walk.target];
    if (target === undefined) return { devices: [], next: undefined };
    if (target.kind === 'device') {
      const ids = deviceTargets(job.targets.slice(walk.target, walk.target + limit));
      const found = await this.#devices.among(ids, { scope: scopeOf(job) });
      return { devices: [...found], next: this.#at(job, walk, walk.target + ids.length) };
    }
    const query = await this.#queryOf(target);
    if (query === undefined) return { devices: [], next: this.#at(job, walk, walk.target + 1) };
    const page = await orUndefined(this.#devices.list({ ...query, scope: scopeOf(job), limit, cursor: walk.cursor }));
    if (page === undefined) return { devices: [], next: this.#at(job, walk, walk.target + 1) };
    const devices = page.items.map(({ id }) => id);
    if (page.cursor === undefined) return { devices, next: this.#at(job, walk, walk.target + 1) };
    return { devices, next: { ...walk, cursor: page.cursor } };
  }

  /**
   * Those of the devices that the job is meant for.
   *
   * @param groups of the devices that there are, by their ids: where they are for many jobs.
   * @returns not `certain` where a fleet is no more, or its filter asks for what is no more: then nobody leaves.
   */
  async members(
    job: Meant,
    groups: ReadonlyMap<DeviceId, string>,
  ): Promise<{ readonly members: ReadonlySet<DeviceId>; readonly certain: boolean }> {
    const members = new Set<DeviceId>();
    let certain = true;
    const candidates = [...groups.keys()].filter((id) => isWithinOrNone(groups.get(id), job.group));
    const named = new Set(deviceTargetsOfAll(job.targets));
    for (const id of candidates) {
      const group = groups.get(id);
      const isMember =
        named.has(id) ||
        job.targets.some((target) => target.kind === 'group' && group !== undefined && isWithin(group, target.path));
      if (isMember) members.add(id);
    }
    for (const target of job.targets) {
      if (target.kind === 'device' || target.kind === 'group') continue;
      const left = candidates.filter((id) => !members.has(id));
      if (left.length === 0) break;
      const query = await this.#queryOf(target);
      const found = query === undefined ? undefined : await orUndefined(this.#devices.among(left, query));
      if (found === undefined) certain = false;
      for (const id of found ?? []) members.add(id);
    }
    return { members, certain };
  }

  /** The groups of those of the devices that there are. */
  async groupsOf(ids: readonly DeviceId[]): Promise<ReadonlyMap<DeviceId, string>> {
    return await this.#devices.groupOf(ids);
  }

  /** Whether the groups that the walk asks for at this target are where they were. */
  async isInPlace({ group, targets }: Meant, { target: index }: Walk): Promise<boolean> {
    const target = targets[index];
    const paths = new Set(target?.kind === 'group' ? [group, target.path] : [group]);
    const rows = await this.#registry
      .selectFrom('device_group')
      .select('path')
      .where('path', 'in', [...paths])
      .execute();
    return rows.length === paths.size;
  }

  /** Changes where the same targets mean other devices although none of these has changed. */
  async meaning(job: Meant): Promise<string> {
    const parts: string[] = [job.group];
    for (const target of job.targets) {
      if (target.kind !== 'fleet') continue;
      const query = await this.#queryOf(target);
      parts.push(JSON.stringify([target.id, query?.group ?? null, query?.filter ?? null]));
    }
    return parts.join('\n');
  }

  /** Undefined: the fleet is no more. */
  async #queryOf(target: JobTarget): Promise<Pick<DeviceFilter, 'filter' | 'group'> | undefined> {
    switch (target.kind) {
      case 'device':
        return { filter: `id = "${target.id}"` };
      case 'group':
        return { group: target.path };
      case 'type':
        return { filter: `type = "${target.name}"` };
      case 'fleet':
        return await orUndefined(this.#fleets.get(target.id).then(membersOf));
    }
  }

  #at(job: Meant, walk: Walk, target: number): Walk | undefined {
    const { cursor: _cursor, ...rest } = walk;
    return target < job.targets.length ? { ...rest, target } : undefined;
  }
}

function scopeOf(job: Meant): Scope {
  return { groups: [job.group] };
}

/** The ids of the targets up to the first that is no device. */
function deviceTargets(targets: readonly JobTarget[]): readonly DeviceId[] {
  const end = targets.findIndex(({ kind }) => kind !== 'device');
  return deviceTargetsOfAll(end === -1 ? targets : targets.slice(0, end));
}

function deviceTargetsOfAll(targets: readonly JobTarget[]): readonly DeviceId[] {
  return targets.flatMap((target) => (target.kind === 'device' ? [target.id] : []));
}

function isWithinOrNone(group: string | undefined, ancestor: string): boolean {
  return group !== undefined && isWithin(group, ancestor);
}

/** What a fleet means may be no more: that is no fault of the server. */
async function orUndefined<T>(found: Promise<T>): Promise<T | undefined> {
  try {
    return await found;
  } catch (error) {
    if (isSelsynError(error, 'fleet.not-found', 'request.invalid')) return undefined;
    throw error;
  }
}
