import { systemActor } from '../audit/actor.ts';
import { inTransaction } from '../database/in-transaction.ts';
import type { Database } from '../database/schema.ts';
import type { Clock } from '../kernel/clock.ts';
import type { LogLines } from '../kernel/log-lines.ts';
import { CERTIFICATE_COLUMNS, certificateOf, principalOf, type Certificate } from './certificate-record.ts';
import { activeOfDevices, newestFirst, recordChanges } from './certificate-store.ts';

/** A message of the platform to a device. */
export interface RenewalMessage {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: 1;
  readonly retain: boolean;
}

export interface CertificateSweeperDependencies {
  readonly database: Database;
  readonly clock: Clock;
  readonly logLines: LogLines;
  /** Resolves when all that must have the messages durably have them. */
  readonly publish: (messages: readonly RenewalMessage[]) => Promise<void>;
  readonly onAccessChanged: (principals: readonly string[]) => Promise<void>;
}

const LOOK_EVERY_MS = 5_000;
const ASK_AGAIN_MS = 86_400_000;
const ROWS_AT_ONCE = 500;

/** Where a device is asked to renew its certificate. */
export function renewalTopic(deviceId: string): string {
  return `devices/${deviceId}/certificate/renew`;
}

/**
 * Does what is due by time: deletes pending certificates that nobody has activated within an hour, asks devices at two thirds of the life
 * of their certificate to renew it, and cuts the connections of certificates that have ended.
 *
 * The question is a retained message, so that a device that sleeps finds it whenever it subscribes; it is put again each day, with the
 * certificate it is about and its end, and taken away when that one is no more.
 */
export class CertificateSweeper implements Disposable {
  readonly #dependencies: CertificateSweeperDependencies;
  #cancel: (() => void) | undefined;
  #isStopped = false;

  constructor(dependencies: CertificateSweeperDependencies) {
    this.#dependencies = dependencies;
  }

  start(): void {
    this.#cancel = this.#dependencies.clock.after(LOOK_EVERY_MS, () => {
      void this.sweep()
        .catch((error: unknown) =>
          this.#dependencies.logLines.error({ err: error }, 'what is due of certificates could not be done'),
        )
        .then(() => {
          if (!this.#isStopped) this.start();
        });
    });
  }

  [Symbol.dispose](): void {
    this.#isStopped = true;
    this.#cancel?.();
  }

  /** Does all that is due now. What fails is due again at the next look. */
  async sweep(): Promise<void> {
    const { database, clock } = this.#dependencies;
    while (!this.#isStopped) {
      const rows = await database
        .selectFrom('certificate')
        .select(CERTIFICATE_COLUMNS)
        .where('due_ms', '<=', clock.now())
        .orderBy('due_ms')
        .limit(ROWS_AT_ONCE)
        .execute();
      if (rows.length === 0) return;
      const due = rows.map(certificateOf);
      const nowMs = clock.now();
      await this.#deletePending(due.filter(({ status }) => status === 'pending'));
      await this.#end(due.filter(({ status, notAfterMs }) => status === 'active' && notAfterMs <= nowMs));
      await this.#askToRenew(due.filter(({ status, notAfterMs }) => status === 'active' && notAfterMs > nowMs));
      await this.#forget(due.filter(({ status }) => status === 'revoked'));
    }
  }

  async #deletePending(certificates: readonly Certificate[]): Promise<void> {
    if (certificates.length === 0) return;
    const { database, clock } = this.#dependencies;
    await inTransaction(database, async (transaction) => {
      const deleted = await transaction
        .deleteFrom('certificate')
        .where('id', 'in', idsOf(certificates))
        .where('status', '=', 'pending')
        .returning('id')
        .execute();
      const gone = new Set(deleted.map(({ id }) => id));
      const context = { transaction, clock, actor: systemActor('certificate-expiry') };
      const changes = certificates.filter(({ id }) => gone.has(id)).map((before) => ({ before }));
      await recordChanges(context, 'certificate.delete', changes);
    });
  }

  /** Cuts first: where that fails it is due again. */
  async #end(certificates: readonly Certificate[]): Promise<void> {
    if (certificates.length === 0) return;
    const principals = new Set(certificates.map(principalOf).filter((id) => id !== undefined));
    await this.#dependencies.onAccessChanged([...principals]);
    await this.#publish(certificates.flatMap(withdrawal));
    await this.#setDue(certificates, null);
  }

  /** Takes back what revoked ones were asked. */
  async #forget(certificates: readonly Certificate[]): Promise<void> {
    if (certificates.length === 0) return;
    await this.#publish(certificates.flatMap(withdrawal));
    await this.#setDue(certificates, null);
  }

  async #askToRenew(certificates: readonly Certificate[]): Promise<void> {
    if (certificates.length === 0) return;
    const { database, clock } = this.#dependencies;
    const devices = [...new Set(certificates.flatMap(({ deviceId }) => deviceId ?? []))];
    const active = await activeOfDevices(database, devices, clock.now());
    const asked = certificates.filter((certificate) => {
      const siblings = active.get(certificate.deviceId ?? '') ?? [];
      // One that has its successor already waits only for that to be used.
      return certificate.purpose === 'device' && !siblings.some((each) => newestFirst(each, certificate) < 0);
    });
    await this.#publish(asked.flatMap(question));
    const byDue = Map.groupBy(certificates, ({ notAfterMs }) => Math.min(clock.now() + ASK_AGAIN_MS, notAfterMs));
    for (const [dueMs, some] of byDue) await this.#setDue(some, dueMs);
  }

  async #publish(messages: readonly RenewalMessage[]): Promise<void> {
    if (messages.length > 0) await this.#dependencies.publish(messages);
  }

  /** Of those that are still what they were: one that was revoked meanwhile is due for another reason. */
  async #setDue(certificates: readonly Certificate[], dueMs: number | null): Promise<void> {
    for (const [status, some] of Map.groupBy(certificates, (each) => each.status)) {
      await this.#dependencies.database
        .updateTable('certificate')
        .set({ due_ms: dueMs })
        .where('id', 'in', idsOf(some))
        .where('status', '=', status)
        .execute();
    }
  }
}

/** Takes the question away that a device may have been put about a certificate. */
export function withdrawal({ purpose, deviceId }: Certificate): readonly RenewalMessage[] {
  if (purpose !== 'device' || deviceId === undefined) return [];
  return [{ topic: renewalTopic(deviceId), payload: new Uint8Array(), qos: 1, retain: true }];
}

function question({ id, deviceId, notAfterMs }: Certificate): readonly RenewalMessage[] {
  if (deviceId === undefined) return [];
  const payload = new TextEncoder().encode(JSON.stringify({ certificateId: id, notAfter: new Date(notAfterMs).toISOString() }));
  return [{ topic: renewalTopic(deviceId), payload, qos: 1, retain: true }];
}

function idsOf(certificates: readonly Certificate[]): readonly string[] {
  return certificates.map(({ id }) => id);
}
