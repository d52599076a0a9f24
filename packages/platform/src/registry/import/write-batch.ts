import type { AuditChange } from '../../audit/audit-trail.ts';
import type { Database } from '../../database/schema.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { DeviceId } from '../../kernel/device-id.ts';
import { SelsynError } from '../../kernel/errors.ts';
import { patched } from '../device-patch.ts';
import { readDevices, type StoredDevice } from '../device-rows.ts';
import { noDevice } from '../device-store.ts';
import { deviceOfDraft, insertDevices, TypeCheck, updateDevices } from '../device-writing.ts';
import { checkDraft, type Device } from '../device.ts';
import { ROOT_GROUP } from '../group-path.ts';
import { scopeIncludes } from '../scope.ts';
import type { ImportCaller, ImportPlan, RefusedRow } from './device-import.ts';
import { refusedRow, type ImportRow } from './import-row.ts';

/** Keeps the tokens that devices are to have from now on, so that only their hash is left. */
export interface TokenKeeper {
  /** @returns those whose token is another one than before. */
  keep(transaction: Database, tokens: ReadonlyMap<DeviceId, string>): Promise<readonly DeviceId[]>;
}

export interface BatchContext {
  readonly transaction: Database;
  readonly clock: Clock;
  readonly tokens: TokenKeeper;
  readonly plan: Pick<ImportPlan, 'mode' | 'dryRun' | 'group'>;
  readonly caller: ImportCaller;
}

export interface BatchOutcome {
  readonly created: number;
  readonly updated: number;
  readonly unchanged: number;
  readonly refused: readonly RefusedRow[];
  readonly audit: readonly AuditChange[];
  /** Devices that were there before and are not what they were: what they may do may be something else now. */
  readonly changed: readonly DeviceId[];
  /** Of these, those that have another token now. */
  readonly renewed: readonly DeviceId[];
}

/** Writes the rows, each on top of those before it; a row that is refused keeps no other out. */
export async function writeBatch(context: BatchContext, rows: readonly ImportRow[]): Promise<BatchOutcome> {
  const { transaction, clock, plan, caller } = context;
  const known = new Map(
    (await readDevices(transaction, { ids: [...new Set(rows.map(({ id }) => id))] })).map((stored) => [stored.device.id, stored]),
  );
  const types = await TypeCheck.of(context, [
    ...rows.map(({ patch }) => patch.type ?? undefined),
    ...[...known.values()].map(({ device }) => device.type),
  ]);
  const drafts = new BatchDrafts(known);
  const nowMs = clock.now();
  const refused: RefusedRow[] = [];
  const counts = { created: 0, updated: 0, unchanged: 0 };
  const tokens = new Map<DeviceId, string>();
  for (const row of rows) {
    try {
      const before = drafts.find(row.id);
      const after = before === undefined ? newDevice(context, row, nowMs) : changedDevice(context, before, row, nowMs);
      types.check(after);
      drafts.set(after);
      counts[before === undefined ? 'created' : before === after && row.token === undefined ? 'unchanged' : 'updated'] += 1;
      if (row.token !== undefined) tokens.set(row.id, row.token);
    } catch (error) {
      refused.push(refusedRow(row.row, row.id, error));
    }
  }
  if (plan.dryRun) return { ...counts, refused, audit: [], changed: [], renewed: [] };
  const audit: AuditChange[] = [];
  const write = {
    transaction,
    clock,
    actor: caller.actor,
    takeAudit: (changes: readonly AuditChange[]) => void audit.push(...changes),
  };
  await insertDevices(write, drafts.created());
  const updates = drafts.updated();
  await updateDevices(write, updates);
  const renewed = tokens.size === 0 ? [] : await context.tokens.keep(transaction, tokens);
  const others = renewed.filter((id) => known.has(id));
  const changed = new Set([...updates.map(({ after }) => after.id), ...others]);
  for (const id of others) audit.push(tokenChange(caller, drafts.find(id)));
  return { ...counts, refused, audit, changed: [...changed], renewed: others };
}

function newDevice({ plan, caller }: BatchContext, { id, patch }: ImportRow, nowMs: number): Device {
  if (plan.mode === 'update') throw noDevice(id);
  const draft = {
    id,
    name: patch.name ?? undefined,
    type: patch.type ?? undefined,
    group: patch.group ?? plan.group ?? ROOT_GROUP,
    tags: patch.tags,
    attributes: patch.attributes,
  };
  checkDraft(draft);
  ensureMayPut(caller, draft.group);
  return deviceOfDraft(draft, nowMs);
}

function changedDevice({ plan, caller }: BatchContext, before: Device, { id, patch }: ImportRow, nowMs: number): Device {
  const isSeen = scopeIncludes(caller.scope, before.group);
  if (plan.mode === 'update' && !isSeen) throw noDevice(id);
  if (plan.mode === 'create' || !isSeen) {
    throw new SelsynError('device.exists', `there is a device ${id} already`, { details: { field: 'id' } });
  }
  const after = patched(before, patch, nowMs);
  ensureMayPut(caller, after.group);
  return after;
}

function ensureMayPut({ scope }: ImportCaller, group: string): void {
  if (scopeIncludes(scope, group)) return;
  throw new SelsynError('access.denied', `you may not put devices in ${group}`, { details: { field: 'group', group } });
}

function tokenChange({ actor }: ImportCaller, device: Device | undefined): AuditChange {
  return {
    actor,
    action: 'device.update',
    object: { kind: 'device', id: device?.id ?? '' },
    group: device?.group ?? ROOT_GROUP,
    after: { token: 'changed' },
  };
}

/** What devices have become in this batch: a later row of a device goes on from there. */
class BatchDrafts {
  readonly #known: ReadonlyMap<DeviceId, StoredDevice>;
  readonly #drafts = new Map<DeviceId, Device>();

  constructor(known: ReadonlyMap<DeviceId, StoredDevice>) {
    this.#known = known;
  }

  find(id: DeviceId): Device | undefined {
    return this.#drafts.get(id) ?? this.#known.get(id)?.device;
  }

  set(device: Device): void {
    this.#drafts.set(device.id, device);
  }

  created(): readonly Device[] {
    return [...this.#drafts.values()].filter(({ id }) => !this.#known.has(id));
  }

  updated(): readonly { readonly before: StoredDevice; readonly after: Device }[] {
    return [...this.#drafts.values()].flatMap((after) => {
      const before = this.#known.get(after.id);
      return before === undefined || before.device === after ? [] : [{ before, after }];
    });
  }
}
