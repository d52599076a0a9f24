import { systemActor, type Actor } from '../audit/actor.ts';
import { AuditTrail } from '../audit/audit-trail.ts';
import type { Database } from '../database/schema.ts';
import type { DeviceTokenTable } from '../database/tables/access-tables.ts';
import type { Clock } from '../kernel/clock.ts';
import type { DeviceId } from '../kernel/device-id.ts';
import type { Device, DeviceDraft } from '../registry/device.ts';
import { DeviceStore, noDevice } from '../registry/device-store.ts';
import { deriveScramCredential, SCRAM_ITERATIONS, SCRAM_SALT_BYTES } from './scram-credential.ts';
import { hashSecret, newSecret, type RandomBytes } from '../kernel/secret.ts';

/** A device and its token, which is shown this once: only its hash, and what SCRAM needs, are kept. */
export interface Enrolment {
  readonly device: Device;
  readonly token: string;
}

/** Gives and takes the tokens of devices: one each. Whoever changes one also tells the gateways to drop the device. */
export class DeviceTokens {
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #random: RandomBytes;

  constructor(dependencies: { readonly database: Database; readonly clock: Clock; readonly random: RandomBytes }) {
    this.#database = dependencies.database;
    this.#clock = dependencies.clock;
    this.#random = dependencies.random;
  }

  /** Adds a device with its first token, both or neither. @throws SelsynError `device.exists`, `request.invalid` */
  async enrol(draft: DeviceDraft, actor: Actor = TOKENS): Promise<Enrolment> {
    const { token, row } = await this.prepare();
    return await this.#database.transaction().execute(async (transaction) => {
      const device = await new DeviceStore({ database: transaction, clock: this.#clock }).create(draft, actor);
      await keep(transaction, device.id, row);
      return { device, token };
    });
  }

  /** Gives a new token: from then on the old one is refused. @throws SelsynError `device.not-found` */
  async rotate(id: DeviceId, actor: Actor = TOKENS): Promise<string> {
    const prepared = await this.prepare();
    return await this.#database.transaction().execute(async (transaction) => {
      await this.give(id, prepared, actor, transaction);
      return prepared.token;
    });
  }

  /** A device has this token from now on, and no other: as part of a transaction. @throws SelsynError `device.not-found` */
  async give(id: DeviceId, { row }: PreparedToken, actor: Actor, transaction: Database): Promise<void> {
    const devices = new DeviceStore({ database: transaction, clock: this.#clock });
    const group = (await devices.groupOf([id])).get(id);
    if (group === undefined) throw noDevice(id);
    await keep(transaction, id, row);
    const change = { actor, action: 'device.rotate-token', object: { kind: 'device', id }, group };
    await new AuditTrail({ database: transaction, clock: this.#clock }).record([change], transaction);
  }

  /** From then on no token of this device is accepted. */
  async revoke(id: DeviceId): Promise<void> {
    await this.#database.deleteFrom('device_token').where('device_id', '=', id).execute();
  }

  /** A token that is nobody's yet. Takes some ms on a thread of its own, so it comes before the transaction in which it is given. */
  async prepare(): Promise<PreparedToken> {
    const token = newSecret(this.#random);
    const scram = await deriveScramCredential(token, this.#random(SCRAM_SALT_BYTES), SCRAM_ITERATIONS);
    const row = {
      token_hash: hashSecret(token),
      created_at_ms: this.#clock.now(),
      scram_salt: toText(scram.salt),
      scram_iterations: scram.iterations,
      scram_stored_key: toText(scram.storedKey),
      scram_server_key: toText(scram.serverKey),
    };
    return { token, row };
  }
}

const TOKENS = systemActor('device-tokens');

/** A token, and what is kept of it. */
export interface PreparedToken {
  readonly token: string;
  readonly row: TokenRow;
}

type TokenRow = Omit<DeviceTokenTable, 'device_id'>;

async function keep(transaction: Database, id: DeviceId, row: TokenRow): Promise<void> {
  await transaction
    .insertInto('device_token')
    .values({ device_id: id, ...row })
    .onConflict((conflict) => conflict.column('device_id').doUpdateSet(row))
    .execute();
}

function toText(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64url');
}
