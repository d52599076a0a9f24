import type { Actor } from '../audit/actor.ts';
import { AuditTrail } from '../audit/audit-trail.ts';
import { inTransaction } from '../database/in-transaction.ts';
import type { Database } from '../database/schema.ts';
import type { Clock } from '../kernel/clock.ts';
import type { DeviceId } from '../kernel/device-id.ts';
import { SelsynError } from '../kernel/errors.ts';
import type { DataKeys } from './data-keys.ts';
import type { SealContext } from './sealed-value.ts';

/** A secret, without its value. */
export interface DeviceSecret {
  readonly name: string;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
}

/** A device, and the group in which whoever acts has found it. */
export interface SecretOwner {
  readonly id: DeviceId;
  readonly group: string;
}

export const SECRET_NAME = /^[A-Za-z0-9_.-]{1,64}$/;
export const MAX_SECRET_BYTES = 16 * 1024;
export const MAX_SECRETS_A_DEVICE = 32;

/** Values that belong to one device and that nobody reads from the database or a copy of it: Wi-Fi keys, passwords of other services. */
export class DeviceSecrets {
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #keys: DataKeys;

  constructor(dependencies: { readonly database: Database; readonly clock: Clock; readonly keys: DataKeys }) {
    this.#database = dependencies.database;
    this.#clock = dependencies.clock;
    this.#keys = dependencies.keys;
  }

  /** In the order of their names. */
  async list(device: DeviceId): Promise<readonly DeviceSecret[]> {
    const rows = await this.#database
      .selectFrom('device_secret')
      .select(['name', 'created_at_ms', 'updated_at_ms'])
      .where('device_id', '=', device)
      .orderBy('name')
      .execute();
    return rows.map((row) => ({
      name: row.name,
      createdAtMs: Number(row.created_at_ms),
      updatedAtMs: Number(row.updated_at_ms),
    }));
  }

  /** Sets a secret of a device that is there. @returns true: there was none of this name. @throws SelsynError `request.invalid` */
  async put(owner: SecretOwner, name: string, value: string, actor: Actor): Promise<boolean> {
    if (!SECRET_NAME.test(name)) throw invalid('name', 'the name of a secret is 1 to 64 of A-Z a-z 0-9 _ . -');
    const bytes = Buffer.from(value, 'utf8');
    if (bytes.length === 0 || bytes.length > MAX_SECRET_BYTES)
      throw invalid('value', `a secret has 1 to ${MAX_SECRET_BYTES} bytes`);
    const { sealed, keyId } = this.#keys.seal(bytes, contextOf(owner.id, name));
    return await inTransaction(this.#database, async (transaction) => {
      const names = new Set(
        (await new DeviceSecrets({ database: transaction, clock: this.#clock, keys: this.#keys }).list(owner.id)).map(
          (each) => each.name,
        ),
      );
      if (!names.has(name) && names.size >= MAX_SECRETS_A_DEVICE)
        throw invalid('name', `a device has at most ${MAX_SECRETS_A_DEVICE} secrets`);
      const nowMs = this.#clock.now();
      await transaction
        .insertInto('device_secret')
        .values({ device_id: owner.id, name, sealed, key_id: keyId, created_at_ms: nowMs, updated_at_ms: nowMs })
        .onConflict((conflict) =>
          conflict.columns(['device_id', 'name']).doUpdateSet({ sealed, key_id: keyId, updated_at_ms: nowMs }),
        )
        .execute();
      await this.#note(transaction, 'secret.put', owner, name, actor);
      return !names.has(name);
    });
  }

  /** The value; that it was asked for is in the audit trail. @throws SelsynError `secret.not-found`, `secrets.unreadable` */
  async reveal(owner: SecretOwner, name: string, actor: Actor): Promise<string> {
    return await inTransaction(this.#database, async (transaction) => {
      const row = await transaction
        .selectFrom('device_secret')
        .select('sealed')
        .where('device_id', '=', owner.id)
        .where('name', '=', name)
        .executeTakeFirst();
      if (row === undefined) throw noSecret(owner.id, name);
      const value = this.#keys.open(row.sealed, contextOf(owner.id, name)).toString('utf8');
      await this.#note(transaction, 'secret.reveal', owner, name, actor);
      return value;
    });
  }

  /** @throws SelsynError `secret.not-found` */
  async remove(owner: SecretOwner, name: string, actor: Actor): Promise<void> {
    await inTransaction(this.#database, async (transaction) => {
      const removed = await transaction
        .deleteFrom('device_secret')
        .where('device_id', '=', owner.id)
        .where('name', '=', name)
        .executeTakeFirst();
      if (removed.numDeletedRows === 0n) throw noSecret(owner.id, name);
      await this.#note(transaction, 'secret.remove', owner, name, actor);
    });
  }

  async #note(transaction: Database, action: string, { id, group }: SecretOwner, name: string, actor: Actor): Promise<void> {
    await new AuditTrail({ database: transaction, clock: this.#clock }).record(
      [{ actor, action, object: { kind: 'device', id }, group, after: { secret: name } }],
      transaction,
    );
  }
}

export function contextOf(device: string, name: string): SealContext {
  return { purpose: 'device-secret', owner: device, name };
}

function noSecret(device: string, name: string): SelsynError {
  return new SelsynError('secret.not-found', `the device ${device} has no secret ${name.slice(0, 64)}`, {
    details: { device, name: name.slice(0, 64) },
  });
}

function invalid(field: string, message: string): SelsynError {
  return new SelsynError('request.invalid', message, { details: { field } });
}
