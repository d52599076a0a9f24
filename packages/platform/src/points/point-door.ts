import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock } from '../kernel/clock.ts';
import type { DeviceId } from '../kernel/device-id.ts';
import { SelsynError } from '../kernel/errors.ts';
import { mayAt, scopeOf, type Caller } from '../people/caller.ts';
import { OPEN_TAG } from '../registry/device.ts';
import type { DeviceStore } from '../registry/device-store.ts';
import { ROOT_GROUP } from '../registry/group-path.ts';
import { scopeIncludes, type Scope } from '../registry/scope.ts';
import { BoundedBodies } from './bounded-body.ts';
import type { PointBatch } from './point-batch.ts';
import type { PointIntake } from './point-intake.ts';
import { PointWriter } from './point-writer.ts';

export interface PointDoorDependencies {
  readonly intake: PointIntake;
  readonly devices: Pick<DeviceStore, 'groupOf' | 'put'>;
  /** Devices that nobody knows are made, whoever writes of them. */
  readonly openMode: boolean;
  /** Called once devices were made. */
  readonly onDevicesMade: (ids: readonly DeviceId[]) => void;
  readonly clock: Clock;
}

/** Of what was written, what is not kept. */
export interface RefusedDevice {
  readonly id: string;
  /** Samples of it that were written. */
  readonly samples: number;
}

export interface Written {
  /** Points that are durable. */
  readonly points: number;
  readonly refused: readonly RefusedDevice[];
}

/** Bodies are so large at most, as in InfluxDB. */
export const MAX_BODY_BYTES = 25_000_000;
const MAX_NAMED = 100;
const MAX_TOTAL_BODY_BYTES = 128_000_000;
/** A body is read in pieces of so many bytes: others have their turn between. */
export const TURN_BYTES = 128 * 1024;
/** Devices that are looked up or made before others have their turn. */
const TURN_DEVICES = 1_000;

/** By which door points come. */
export type DoorKind = 'influx' | 'prometheus' | 'api';

/** What came by a door: for metrics. */
export interface DoorCounts {
  points: number;
  /** Lines, rows or samples. */
  refused: number;
}

/** The way of points that come by HTTP: who may write them, which devices there are, and then to the log. */
export class PointDoor {
  readonly bodies = new BoundedBodies({ maxBytes: MAX_BODY_BYTES, maxTotalBytes: MAX_TOTAL_BODY_BYTES });
  readonly counts: Readonly<Record<DoorKind, DoorCounts>> = {
    influx: { points: 0, refused: 0 },
    prometheus: { points: 0, refused: 0 },
    api: { points: 0, refused: 0 },
  };
  readonly #dependencies: PointDoorDependencies;

  constructor(dependencies: PointDoorDependencies) {
    this.#dependencies = dependencies;
  }

  get clock(): Clock {
    return this.#dependencies.clock;
  }

  newWriter(): PointWriter {
    return new PointWriter(this.#dependencies.intake);
  }

  /** Whether somebody may write points at all. @throws SelsynError `access.denied` */
  ensureMayWrite(caller: Caller): void {
    if (scopeOf(caller, 'telemetry:write').groups.length > 0) return;
    throw new SelsynError('access.denied', `${caller.actor.name} does not have the permission telemetry:write`, {
      details: { permission: 'telemetry:write' },
    });
  }

  /**
   * Resolves once what was written is durable, but for that of devices that the caller may not write to.
   *
   * A device that there is not is made where access is open, or where the caller may add devices: in `/`, or in the one group that the
   * caller writes in.
   *
   * @param options.allOrNothing nothing is written where one of the devices is not to be written to.
   * @throws SelsynError as PointIntake.accept; `device.not-found`
   */
  async write(
    writer: PointWriter,
    caller: Caller,
    kind: DoorKind,
    options: { readonly allOrNothing: boolean } = { allOrNothing: false },
  ): Promise<Written> {
    if (writer.points === 0) return { points: 0, refused: [] };
    const refused = await this.#refusedOf(writer.deviceIds(), caller);
    const [first] = refused;
    if (first !== undefined && options.allOrNothing) {
      this.countRefused(kind, writer.samples);
      throw new SelsynError('device.not-found', `${refusal({ id: first })}; nothing was written`, {
        details: { devices: [...refused].slice(0, MAX_NAMED) },
      });
    }
    const batches = refused.size === 0 ? writer.batches() : writer.batches().map((batch) => batch && without(batch, refused));
    await this.#dependencies.intake.accept(batches);
    const found = [...refused].map((id) => ({ id, samples: writer.samplesOf(id) }));
    const points = writer.points - [...refused].reduce((sum, id) => sum + writer.pointsOf(id), 0);
    this.counts[kind].points += points;
    this.countRefused(
      kind,
      found.reduce((sum, { samples }) => sum + samples, 0),
    );
    return { points, refused: found };
  }

  /** Counts what was refused before it could be written. */
  countRefused(kind: DoorKind, count: number): void {
    this.counts[kind].refused += count;
  }

  async #refusedOf(ids: readonly DeviceId[], caller: Caller): Promise<ReadonlySet<DeviceId>> {
    const scope = scopeOf(caller, 'telemetry:write');
    const refused = new Set<DeviceId>();
    const unknown: DeviceId[] = [];
    for (let from = 0; from < ids.length; from += TURN_DEVICES) {
      // There may be hundreds of thousands in a body.
      if (from > 0) await nextTurn();
      const some = ids.slice(from, from + TURN_DEVICES);
      const groups = await this.#dependencies.devices.groupOf(some);
      for (const id of some) {
        const group = groups.get(id);
        if (group === undefined) unknown.push(id);
        else if (!scopeIncludes(scope, group)) refused.add(id);
      }
    }
    if (unknown.length === 0) return refused;
    const group = this.#groupOfNew(caller, scope);
    if (group === undefined) for (const id of unknown) refused.add(id);
    else for (const id of await this.#make(unknown, group, scope, caller)) refused.add(id);
    return refused;
  }

  /** Undefined where the caller may make none. */
  #groupOfNew(caller: Caller, { groups }: Scope): string | undefined {
    const [only] = groups;
    const group = groups.includes(ROOT_GROUP) ? ROOT_GROUP : groups.length === 1 ? only : undefined;
    if (group === undefined) return undefined;
    return this.#dependencies.openMode || mayAt(caller, 'devices:write', group) ? group : undefined;
  }

  /** @returns those that could not be made, or were made meanwhile where the caller may not write */
  async #make(ids: readonly DeviceId[], group: string, scope: Scope, { actor }: Caller): Promise<readonly DeviceId[]> {
    const { devices, openMode, onDevicesMade } = this.#dependencies;
    const refused: DeviceId[] = [];
    for (let from = 0; from < ids.length; from += TURN_DEVICES) {
      if (from > 0) await nextTurn();
      const tags = openMode ? [OPEN_TAG] : [];
      const drafts = ids.slice(from, from + TURN_DEVICES).map((id) => ({ id, group, tags }));
      const outcomes = await devices.put(drafts, 'create', actor);
      const made = outcomes.filter(({ outcome }) => outcome === 'created').map(({ id }) => id);
      const others = outcomes.filter(({ outcome }) => outcome !== 'created').map(({ id }) => id);
      if (made.length > 0) onDevicesMade(made);
      if (others.length === 0) continue;
      const groups = await devices.groupOf(others);
      for (const id of others) if (!scopeIncludes(scope, groups.get(id) ?? ROOT_GROUP)) refused.push(id);
    }
    return refused;
  }
}

/** Reads something piece by piece, so that others have their turn. @param piece returns false once nothing is left */
export async function inTurns(piece: () => boolean): Promise<void> {
  while (piece()) await nextTurn();
}

/** What says of devices that their samples are not kept. */
export function refusal({ id }: Pick<RefusedDevice, 'id'>): string {
  return `there is no device ${id} that this key may write to, and it may not add one`;
}

function without(batch: PointBatch, refused: ReadonlySet<string>): PointBatch | undefined {
  const { devices, deviceIndex, data, ends } = batch;
  const kept: number[] = [];
  let bytes = 0;
  for (let record = 0; record < ends.length; record++) {
    if (refused.has(devices[deviceIndex[record]!]!)) continue;
    kept.push(record);
    bytes += ends[record]! - (ends[record - 1] ?? 0);
  }
  if (kept.length === 0) return undefined;
  const result = new Uint8Array(bytes);
  let at = 0;
  const keptEnds = Uint32Array.from(kept, (record) => {
    const from = data.subarray(ends[record - 1] ?? 0, ends[record]);
    result.set(from, at);
    return (at += from.length);
  });
  return { devices, deviceIndex: Uint32Array.from(kept, (record) => deviceIndex[record]!), data: result, ends: keptEnds };
}
