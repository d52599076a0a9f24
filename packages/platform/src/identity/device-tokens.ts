import type { Database, DeviceTokenTable } from '../database/schema.ts';
import type { Clock } from '../kernel/clock.ts';
import type { DeviceId } from '../kernel/device-id.ts';
import type { Device, DeviceDraft } from '../registry/device.ts';
import { DeviceStore, noDevice } from '../registry/device-store.ts';
import { deriveScramCredential, SCRAM_ITERATIONS, SCRAM_SALT_BYTES } from './scram-credential.ts';
import { hashSecret, newSecret, type RandomBytes } from './secret.ts';

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
  async enrol(draft: DeviceDraft): Promise<Enrolment> {
    const { token, row } = await this.#make();
    return await this.#database.transaction().execute(async (transaction) => {
      const device = await new DeviceStore({ database: transaction, clock: this.#clock }).create(draft);
      await keep(transaction, device.id, row);
      return { device, token };
    });
  }

  /** Gives a new token: from then on the old one is refused. @throws SelsynError `device.not-found` */
  async rotate(id: DeviceId): Promise<string> {
    const { token, row } = await this.#make();
    return await this.#database.transaction().execute(async (transaction) => {
      const known = await transaction.selectFrom('device').select('id').where('id', '=', id).executeTakeFirst();
      if (known === undefined) throw noDevice(id);
      await keep(transaction, id, row);
      return token;
    });
  }

  /** From then on no token of this device is accepted. */
  async revoke(id: DeviceId): Promise<void> {
    await this.#database.deleteFrom('device_token').where('device_id', '=', id).execute();
  }

  /** Takes some ms on a thread of its own, so it comes before the transaction. */
  async #make(): Promise<{ readonly token: string; readonly row: TokenRow }> {
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
