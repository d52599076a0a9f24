import type { Database } from '../database/schema.ts';
import type { LegalHoldTable } from '../database/tables/retention-tables.ts';
import { SelsynError } from '../kernel/errors.ts';
import type { Device } from './device.ts';
import { isWithin } from './group-path.ts';
import type { GroupFollower } from './group-store.ts';
import { chunksOf } from './statement-chunks.ts';

/** A legal hold in force, as far as what it covers. */
export interface HoldInForce {
  readonly id: number;
  readonly kind: LegalHoldTable['kind'];
  readonly target: string;
  readonly reason: string;
}

type Placed = Pick<Device, 'id' | 'group' | 'type'>;

/** How many holds an error names. */
const NAMED = 10;

/** All that are in force, the oldest first. */
export async function holdsInForce(database: Database): Promise<readonly HoldInForce[]> {
  const rows = await database
    .selectFrom('legal_hold')
    .select(['id', 'kind', 'target', 'reason'])
    .where('released_at_ms', 'is', null)
    .orderBy('id')
    .execute();
  return rows.map(({ id, kind, target, reason }) => ({ id: Number(id), kind, target, reason }));
}

/** Whether a hold covers a device by itself, its group, or its type; those that it covered before are in `legal_hold_device`. */
export function covers(hold: Pick<HoldInForce, 'kind' | 'target'>, device: Placed): boolean {
  if (hold.kind === 'device') return hold.target === device.id;
  return hold.kind === 'group' ? isWithin(device.group, hold.target) : hold.target === device.type;
}

/**
 * To be called in the transaction that changes devices: a hold goes with a device that leaves the group or the type by which it
 * is covered.
 */
export async function keepHeld(
  transaction: Database,
  changes: readonly { readonly before: { readonly device: Placed }; readonly after: Placed }[],
): Promise<void> {
  const moved = changes.filter(({ before: { device }, after }) => device.group !== after.group || device.type !== after.type);
  if (moved.length === 0) return;
  const holds = await holdsInForce(transaction);
  for (const { before, after } of moved) {
    for (const hold of holds) {
      if (hold.kind === 'device' || !covers(hold, before.device) || covers(hold, after)) continue;
      await transaction
        .insertInto('legal_hold_device')
        .values({ hold_id: hold.id, device_id: after.id })
        .onConflict((conflict) => conflict.doNothing())
        .execute();
    }
  }
}

/** To be called in the transaction that removes devices. @throws SelsynError `hold.active` */
export async function requireFree(transaction: Database, devices: readonly Placed[]): Promise<void> {
  if (devices.length === 0) return;
  const holds = await holdsInForce(transaction);
  if (holds.length === 0) return;
  const left = await devicesThatLeft(
    transaction,
    devices.map(({ id }) => id),
  );
  for (const device of devices) {
    const found = holds.filter((hold) => covers(hold, device) || left.get(device.id)?.has(hold.id) === true);
    if (found.length > 0) throw heldError(`the device ${device.id}`, found);
  }
}

/** The holds, in force or not, of devices that have left what these are on. */
export async function devicesThatLeft(
  database: Database,
  devices: readonly string[],
): Promise<ReadonlyMap<string, ReadonlySet<number>>> {
  const found = new Map<string, Set<number>>();
  for (const some of chunksOf([...new Set(devices)])) {
    const rows = await database.selectFrom('legal_hold_device').selectAll().where('device_id', 'in', some).execute();
    for (const row of rows) {
      const holds = found.get(row.device_id) ?? new Set<number>();
      found.set(row.device_id, holds.add(Number(row.hold_id)));
    }
  }
  return found;
}

/**
 * Holds on groups go where the groups go. A group that is held, or has a held one in it, cannot be removed; a part of a held
 * group cannot be moved out of it: a device that comes later would not be held.
 *
 * @throws SelsynError `hold.active`
 */
export const holdsFollow: GroupFollower = async (transaction, { from, to }) => {
  const holds = (await holdsInForce(transaction)).filter(({ kind }) => kind === 'group');
  const below = holds.filter(({ target }) => isWithin(target, from));
  const around = holds.filter(({ target }) => target !== from && isWithin(from, target));
  if (to === undefined) {
    if (below.length > 0) throw heldError(`the group ${from}`, below);
    return;
  }
  const left = around.filter(({ target }) => !isWithin(to, target));
  if (left.length > 0) throw heldError(`the group ${from}`, left);
  for (const { id, target } of below) {
    await transaction
      .updateTable('legal_hold')
      .set({ target: to + target.slice(from.length) })
      .where('id', '=', id)
      .execute();
  }
};

export function heldError(what: string, holds: readonly HoldInForce[]): SelsynError {
  const names = holds.slice(0, NAMED).map(({ id, kind, target }) => `${id} on the ${kind} ${target}`);
  return new SelsynError('hold.active', `${what} is under legal hold: ${names.join(', ')}`, {
    details: { holds: holds.slice(0, NAMED).map(({ id }) => String(id)) },
  });
}
