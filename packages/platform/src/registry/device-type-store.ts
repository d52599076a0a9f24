import type { Actor } from '../audit/actor.ts';
import { AuditTrail } from '../audit/audit-trail.ts';
import { inTransaction } from '../database/in-transaction.ts';
import type { Database } from '../database/schema.ts';
import type { DeviceTypeTable } from '../database/tables/registry-tables.ts';
import type { Clock } from '../kernel/clock.ts';
import { SelsynError } from '../kernel/errors.ts';
import { checkTypeDraft, type DeviceType, type DeviceTypeDraft } from './device-type.ts';
import { word } from './index/term.ts';
import { devicesOf } from './index/term-counts.ts';

export interface DeviceTypeWithCount extends DeviceType {
  /** Devices of this type. */
  readonly devices: number;
}

export const MAX_DEVICE_TYPES = 1000;

/** The device types: a thousand at most, so that a list is one page. */
export class DeviceTypeStore {
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #audit: AuditTrail;

  constructor(dependencies: { readonly database: Database; readonly clock: Clock }) {
    this.#database = dependencies.database;
    this.#clock = dependencies.clock;
    this.#audit = new AuditTrail(dependencies);
  }

  /** @throws SelsynError `device-type.exists`, `request.invalid` */
  async create(draft: DeviceTypeDraft, actor: Actor): Promise<DeviceType> {
    checkTypeDraft(draft);
    const nowMs = this.#clock.now();
    const type = typeOf(draft, nowMs, nowMs);
    await inTransaction(this.#database, async (transaction) => {
      const { count } = await transaction
        .selectFrom('device_type')
        .select((builder) => builder.fn.countAll().as('count'))
        .executeTakeFirstOrThrow();
      if (Number(count) >= MAX_DEVICE_TYPES) {
        throw new SelsynError('request.invalid', `there are ${MAX_DEVICE_TYPES} device types, which is as many as there can be`);
      }
      const inserted = await transaction
        .insertInto('device_type')
        .values({ name: type.name, definition: definitionOf(type), created_at_ms: nowMs, updated_at_ms: nowMs })
        .onConflict((conflict) => conflict.column('name').doNothing())
        .executeTakeFirst();
      if (inserted.numInsertedOrUpdatedRows === 0n) {
        throw new SelsynError('device-type.exists', `there is a device type ${type.name} already`, {
          details: { name: type.name },
        });
      }
      await this.#record(transaction, actor, 'create', undefined, type);
    });
    return type;
  }

  async find(name: string): Promise<DeviceType | undefined> {
    const row = await this.#database.selectFrom('device_type').selectAll().where('name', '=', name).executeTakeFirst();
    return row === undefined ? undefined : typeOfRow(row);
  }

  /** @throws SelsynError `device-type.not-found` */
  async get(name: string): Promise<DeviceTypeWithCount> {
    const type = await this.find(name);
    if (type === undefined) throw noType(name);
    return { ...type, devices: (await devicesOf(this.#database, [word('type', name)])).get(name) ?? 0 };
  }

  /** All, ordered by name. */
  async list(): Promise<readonly DeviceTypeWithCount[]> {
    const rows = await this.#database.selectFrom('device_type').selectAll().orderBy('name').execute();
    const counts = await devicesOf(
      this.#database,
      rows.map(({ name }) => word('type', name)),
    );
    return rows.map((row) => ({ ...typeOfRow(row), devices: counts.get(row.name) ?? 0 }));
  }

  /**
   * Changes what is given. Devices that are of the type stay as they are, also where they no longer fit.
   *
   * @throws SelsynError `device-type.not-found`, `request.invalid`
   */
  async update(name: string, patch: Omit<DeviceTypeDraft, 'name'>, actor: Actor): Promise<DeviceType> {
    return await inTransaction(this.#database, async (transaction) => {
      const before = await new DeviceTypeStore({ database: transaction, clock: this.#clock }).find(name);
      if (before === undefined) throw noType(name);
      const draft: DeviceTypeDraft = {
        name,
        description: patch.description ?? before.description,
        telemetry: patch.telemetry ?? before.telemetry,
        hardwareVersions: patch.hardwareVersions ?? before.hardwareVersions,
        codec: patch.codec ?? before.codec,
        maxSeries: patch.maxSeries ?? before.maxSeries,
        maxSeriesPerDevice: patch.maxSeriesPerDevice ?? before.maxSeriesPerDevice,
        shadowSchemas: patch.shadowSchemas ?? before.shadowSchemas,
      };
      checkTypeDraft(draft);
      const after = typeOf(draft, before.createdAtMs, await this.#afterAll(transaction));
      await transaction
        .updateTable('device_type')
        .set({ definition: definitionOf(after), updated_at_ms: after.updatedAtMs })
        .where('name', '=', name)
        .execute();
      await this.#record(transaction, actor, 'update', before, after);
      return after;
    });
  }

  /** @throws SelsynError `device-type.not-found`, `device-type.in-use` while there are devices of it */
  async remove(name: string, actor: Actor): Promise<void> {
    await inTransaction(this.#database, async (transaction) => {
      const type = await new DeviceTypeStore({ database: transaction, clock: this.#clock }).get(name);
      if (type.devices > 0) {
        throw new SelsynError('device-type.in-use', `${type.devices} devices are of the type ${name}`, {
          details: { name, devices: type.devices },
        });
      }
      await transaction.deleteFrom('device_type').where('name', '=', name).execute();
      await this.#record(transaction, actor, 'delete', type, undefined);
    });
  }

  /** Now, or later than any type was changed: whoever keeps what is made of types tells by the newest time that one has changed. */
  async #afterAll(transaction: Database): Promise<number> {
    const { newest } = await transaction
      .selectFrom('device_type')
      .select((builder) => builder.fn.max('updated_at_ms').as('newest'))
      .executeTakeFirstOrThrow();
    return Math.max(this.#clock.now(), Number(newest) + 1);
  }

  async #record(
    transaction: Database,
    actor: Actor,
    verb: string,
    before: DeviceType | undefined,
    after: DeviceType | undefined,
  ): Promise<void> {
    const id = after?.name ?? before?.name ?? '';
    const object = { kind: 'device-type', id };
    await this.#audit.record([{ actor, action: `device-type.${verb}`, object, group: '/', before, after }], transaction);
  }
}

function typeOf(draft: DeviceTypeDraft, createdAtMs: number, updatedAtMs: number): DeviceType {
  const { maxSeries = 0, maxSeriesPerDevice = 0 } = draft;
  return {
    name: draft.name,
    ...(draft.description !== undefined && draft.description !== '' && { description: draft.description }),
    telemetry: draft.telemetry ?? [],
    hardwareVersions: draft.hardwareVersions ?? [],
    ...(draft.codec !== undefined && draft.codec !== '' && { codec: draft.codec }),
    ...(maxSeries !== 0 && { maxSeries }),
    ...(maxSeriesPerDevice !== 0 && { maxSeriesPerDevice }),
    shadowSchemas: draft.shadowSchemas ?? [],
    createdAtMs,
    updatedAtMs,
  };
}

function definitionOf({ name: _name, createdAtMs: _created, updatedAtMs: _updated, ...definition }: DeviceType): string {
  return JSON.stringify(definition);
}

/** As it is in the database: for those who read it without this store. */
export function typeOfRow(row: DeviceTypeTable): DeviceType {
  const draft = JSON.parse(row.definition) as Omit<DeviceTypeDraft, 'name'>;
  return typeOf({ ...draft, name: row.name }, Number(row.created_at_ms), Number(row.updated_at_ms));
}

function noType(name: string): SelsynError {
  return new SelsynError('device-type.not-found', `there is no device type ${name}`, { details: { name } });
}
