import type { Actor } from '../audit/actor.ts';
import { AuditTrail, type AuditChange } from '../audit/audit-trail.ts';
import type { Database } from '../database/schema.ts';
import type { Clock } from '../kernel/clock.ts';
import { SelsynError } from '../kernel/errors.ts';
import type { Device, DeviceDraft } from './device.ts';
import { indexChanges } from './device-index.ts';
import type { StoredDevice } from './device-rows.ts';
import { checkAgainstType, type DeviceType } from './device-type.ts';
import { DeviceTypeStore } from './device-type-store.ts';
import { ensureGroups, type GroupPlaces } from './group-tree.ts';
import { isWithin, ROOT_GROUP } from './group-path.ts';
import { keepHeld, requireFree } from './held-devices.ts';
import { noteDevices } from './registry-stream.ts';
import { takeShadowTerms } from './shadow-term-store.ts';
import { ROWS_PER_STATEMENT } from './statement-chunks.ts';
import { connectivityTerms } from './device-terms.ts';
import type { Term } from './index/term.ts';

export interface WriteContext {
  readonly transaction: Database;
  readonly clock: Clock;
  readonly actor: Actor;
  /** Takes what would go to the audit trail, device by device: for those who write it in another form. */
  readonly takeAudit?: (changes: readonly AuditChange[]) => void;
}

/** Adds devices that are not there. Their types were checked. */
export async function insertDevices(context: WriteContext, devices: readonly Device[]): Promise<void> {
  if (devices.length === 0) return;
  const { transaction } = context;
  const places = await placesOf(context, devices);
  const first = (await reserveNumbers(transaction, devices.length)) - devices.length + 1;
  const stored = devices.map((device, index): StoredDevice => ({ device, number: first + index }));
  for (let start = 0; start < stored.length; start += ROWS_PER_STATEMENT) {
    const some = stored.slice(start, start + ROWS_PER_STATEMENT);
    await transaction
      .insertInto('device')
      .values(
        some.map(({ device, number }) => ({
          id: device.id,
          number,
          created_at_ms: device.createdAtMs,
          ...columnsOf(device, places),
        })),
      )
      .execute();
    await insertTags(
      transaction,
      some.map(({ device }) => device),
    );
  }
  await indexChanges(
    transaction,
    places,
    stored.map((after) => ({ after })),
  );
  await note(context, 'put', devices);
  await record(
    context,
    devices.map((device) => ({ action: 'device.create', device, after: device })),
  );
}

async function note({ transaction, clock }: WriteContext, kind: 'put' | 'removed', devices: readonly Device[]): Promise<void> {
  await noteDevices(
    transaction,
    kind,
    devices.map(({ id }) => id),
    clock.now(),
  );
}

/** Writes what devices have become. */
export async function updateDevices(
  context: WriteContext,
  changes: readonly { readonly before: StoredDevice; readonly after: Device }[],
): Promise<void> {
  if (changes.length === 0) return;
  const { transaction } = context;
  await keepHeld(transaction, changes);
  const places = await placesOf(context, [...changes.map(({ before }) => before.device), ...changes.map(({ after }) => after)]);
  for (const { before, after } of changes) {
    await transaction.updateTable('device').set(columnsOf(after, places)).where('id', '=', after.id).execute();
    if (before.device.tags.join(',') !== after.tags.join(',')) {
      await transaction.deleteFrom('device_tag').where('device_id', '=', after.id).execute();
      await insertTags(transaction, [after]);
    }
  }
  await indexChanges(
    transaction,
    places,
    changes.map(({ before, after }) => ({ before, after: { device: after, number: before.number } })),
  );
  await note(
    context,
    'put',
    changes.map(({ after }) => after),
  );
  await record(
    context,
    changes.flatMap(({ before: { device: before }, after }) => [
      ...leftBehind(before, after),
      {
        action: 'device.update',
        device: after,
        before: onlyChanged(before, after),
        after: onlyChanged(after, before),
      },
    ]),
  );
}

/** @throws SelsynError `hold.active` */
export async function deleteDevices(context: WriteContext, devices: readonly StoredDevice[]): Promise<void> {
  if (devices.length === 0) return;
  const { transaction } = context;
  await requireFree(
    transaction,
    devices.map(({ device }) => device),
  );
  const places = await placesOf(
    context,
    devices.map(({ device }) => device),
  );
  const ids = devices.map(({ device }) => device.id);
  const alsoRemoved = new Map<string, readonly Term[]>();
  const inShadows = await takeShadowTerms(
    transaction,
    devices.map(({ number }) => number),
  );
  for (let start = 0; start < ids.length; start += ROWS_PER_STATEMENT) {
    const some = ids.slice(start, start + ROWS_PER_STATEMENT);
    const rows = await transaction
      .selectFrom('device_connectivity')
      .select(['device_id', 'connected', 'last_seen_ms'])
      .where('device_id', 'in', some)
      .execute();
    for (const row of rows) alsoRemoved.set(row.device_id, connectivityTerms(row));
    await transaction.deleteFrom('device').where('id', 'in', some).execute();
  }
  await indexChanges(
    transaction,
    places,
    devices.map((before) => ({
      before,
      alsoRemoved: [...(alsoRemoved.get(before.device.id) ?? []), ...(inShadows.get(before.number) ?? [])],
    })),
  );
  await note(
    context,
    'removed',
    devices.map(({ device }) => device),
  );
  await record(
    context,
    devices.map(({ device }) => ({ action: 'device.delete', device, before: device })),
  );
}

/** What keeps devices from being written, by the name of the type. */
export class TypeCheck {
  readonly #types: ReadonlyMap<string, DeviceType>;

  private constructor(types: ReadonlyMap<string, DeviceType>) {
    this.#types = types;
  }

  static async of(context: Pick<WriteContext, 'transaction' | 'clock'>, names: Iterable<string | undefined>): Promise<TypeCheck> {
    const store = new DeviceTypeStore({ database: context.transaction, clock: context.clock });
    const types = new Map<string, DeviceType>();
    for (const name of new Set(names)) {
      const type = name === undefined ? undefined : await store.find(name);
      if (type !== undefined) types.set(type.name, type);
    }
    return new TypeCheck(types);
  }

  /** @throws SelsynError `request.invalid` */
  check(device: Pick<Device, 'type' | 'attributes'>): void {
    if (device.type === undefined) return;
    const type = this.#types.get(device.type);
    if (type === undefined) {
      throw new SelsynError('request.invalid', `there is no device type ${device.type}`, { details: { field: 'type' } });
    }
    checkAgainstType(device, type);
  }
}

export function deviceOfDraft(draft: DeviceDraft, nowMs: number): Device {
  return {
    id: draft.id,
    ...(draft.name !== undefined && { name: draft.name }),
    ...(draft.type !== undefined && { type: draft.type }),
    group: draft.group ?? ROOT_GROUP,
    attributes: draft.attributes ?? {},
    tags: [...new Set(draft.tags)].sort(),
    createdAtMs: nowMs,
    updatedAtMs: nowMs,
  };
}

function columnsOf(device: Device, places: GroupPlaces) {
  return {
    name: device.name ?? null,
    type: device.type ?? null,
    group_id: places.idOf(device.group),
    attributes: JSON.stringify(device.attributes),
    updated_at_ms: device.updatedAtMs,
  };
}

async function placesOf(context: WriteContext, devices: readonly Device[]): Promise<GroupPlaces> {
  return await ensureGroups(context.transaction, new Set(devices.map(({ group }) => group)), context);
}

/** @returns the last of them. */
async function reserveNumbers(transaction: Database, count: number): Promise<number> {
  const { value } = await transaction
    .updateTable('registry_counter')
    .set((builder) => ({ value: builder('value', '+', count) }))
    .where('name', '=', 'device-number')
    .returning('value')
    .executeTakeFirstOrThrow();
  return Number(value);
}

async function insertTags(transaction: Database, devices: readonly Device[]): Promise<void> {
  const rows = devices.flatMap(({ id, tags }) => tags.map((tag) => ({ device_id: id as string, tag })));
  for (let start = 0; start < rows.length; start += ROWS_PER_STATEMENT) {
    await transaction
      .insertInto('device_tag')
      .values(rows.slice(start, start + ROWS_PER_STATEMENT))
      .execute();
  }
}

async function record(
  { transaction, clock, actor, takeAudit }: WriteContext,
  changes: readonly (Pick<AuditChange, 'action' | 'before' | 'after'> & { readonly device: Device })[],
): Promise<void> {
  const entries = changes.map(({ action, device, before, after }) => ({
    actor,
    action,
    object: { kind: 'device', id: device.id },
    group: device.group,
    before,
    after,
  }));
  if (takeAudit === undefined) await new AuditTrail({ database: transaction, clock }).record(entries, transaction);
  else takeAudit(entries);
}

/** For those who see a device no more because it has left their group: that, and nothing else of it. */
function leftBehind(before: Device, after: Device) {
  if (isWithin(after.group, before.group)) return [];
  return [{ action: 'device.update', device: before, before: { group: before.group }, after: { group: after.group } }];
}

/** Those fields of a device that are not the same in the other. */
function onlyChanged(device: Device, other: Device): Record<string, unknown> {
  const theirs = new Map<string, unknown>(Object.entries(other));
  return Object.fromEntries(
    Object.entries(device).filter(
      ([name, value]) => name !== 'updatedAtMs' && JSON.stringify(value) !== JSON.stringify(theirs.get(name)),
    ),
  );
}
