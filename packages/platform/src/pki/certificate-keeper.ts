import type { Actor } from '../audit/actor.ts';
import { inTransaction } from '../database/in-transaction.ts';
import type { Database } from '../database/schema.ts';
import type { Clock } from '../kernel/clock.ts';
import { SelsynError } from '../kernel/errors.ts';
import type { Certificate } from './certificate-record.ts';
import { certificateOf } from './certificate-record.ts';
import {
  activeOfDevices,
  type CertificateFacts,
  dueOf,
  findCertificates,
  groupsOf,
  insertCertificates,
  type KeepOptions,
  newRow,
  recordChanges,
  writeRevoked,
} from './certificate-store.ts';
import { Gathering } from './gathering.ts';
import type { CertificateId } from './signing.ts';

/** The one in use, and the one that is to follow it. */
export const MAX_ACTIVE_OF_DEVICE = 2;
const MAX_BATCH = 200;
const MAX_WAITING = 10_000;

interface Draft {
  readonly facts: CertificateFacts;
  readonly options: KeepOptions;
}

interface Dependencies {
  readonly database: Database;
  readonly clock: Clock;
  readonly onRevoked: (authorityIds: ReadonlySet<CertificateId>) => void;
}

/** Writes new certificates, and those that become active: many in one transaction where many come. */
export class CertificateKeeper {
  readonly #dependencies: Dependencies;
  readonly #gathering: Gathering<Draft, Certificate>;

  constructor(dependencies: Dependencies) {
    this.#dependencies = dependencies;
    this.#gathering = new Gathering({
      work: async (drafts) =>
        await inTransaction(dependencies.database, async (transaction) => {
          const kept: (Certificate | SelsynError)[] = [];
          for (const round of rounds(drafts)) kept.push(...(await this.#insert(transaction, round)));
          return kept;
        }),
      maxBatch: MAX_BATCH,
      maxUnderWay: 1,
      maxWaiting: MAX_WAITING,
      full: () => new SelsynError('signer.busy', 'too many certificates are waiting to be written', { retryable: true }),
    });
  }

  /** @throws SelsynError `certificate.exists`, `device.not-found` */
  async keep(facts: CertificateFacts, options: KeepOptions, transaction?: Database): Promise<Certificate> {
    if (transaction === undefined) return await this.#gathering.add({ facts, options });
    const [kept] = await this.#insert(transaction, [{ facts, options }]);
    if (kept === undefined || kept instanceof SelsynError)
      throw kept ?? new SelsynError('internal', 'a certificate was not kept');
    return kept;
  }

  /** @throws SelsynError `certificate.not-found`, `certificate.not-pending`, `device.not-found` */
  async activate(
    { id, deviceId, actor }: { readonly id: CertificateId; readonly deviceId: string; readonly actor: Actor },
    transaction: Database,
  ): Promise<Certificate> {
    const { clock } = this.#dependencies;
    const [before] = await findCertificates(transaction, [id]);
    if (before === undefined)
      throw new SelsynError('certificate.not-found', `there is no certificate ${id}`, { details: { id } });
    const isForAnother = before.deviceId !== undefined && before.deviceId !== deviceId;
    if (before.status !== 'pending' || before.purpose !== 'device' || isForAnother)
      throw new SelsynError(
        'certificate.not-pending',
        `certificate ${id.slice(0, 16)}… does not wait to be that of ${deviceId}`,
        {
          details: { id, status: before.status },
        },
      );
    if (!(await groupsOf(transaction, [deviceId])).has(deviceId)) throw noDevice(deviceId);
    const after: Certificate = { ...before, status: 'active', deviceId, activatedAtMs: clock.now() };
    await this.#makeRoom({ transaction, actor }, [deviceId]);
    await transaction
      .updateTable('certificate')
      .set({ status: 'active', device_id: deviceId, activated_at_ms: after.activatedAtMs ?? null, due_ms: dueOf(after) })
      .where('id', '=', id)
      .execute();
    await recordChanges({ transaction, clock, actor }, 'certificate.activate', [{ before, after }]);
    return after;
  }

  async #insert(transaction: Database, drafts: readonly Draft[]): Promise<readonly (Certificate | SelsynError)[]> {
    const nowMs = this.#dependencies.clock.now();
    const groups = await groupsOf(
      transaction,
      drafts.flatMap(({ options }) => options.deviceId ?? []),
    );
    const faults = drafts.map(({ options }) => faultOf(options, groups));
    const taken = drafts.filter((_, index) => faults[index] === undefined);
    for (const { options } of taken) {
      if (options.status === 'active' && options.deviceId !== undefined)
        await this.#makeRoom({ transaction, actor: options.actor }, [options.deviceId]);
    }
    const rows = taken.map(({ facts, options }) => newRow(facts, options, nowMs));
    const inserted = await insertCertificates(transaction, rows);
    const kept = new Map(rows.filter(({ id }) => inserted.has(id)).map((row) => [row.id, certificateOf(row)]));
    await this.#record(transaction, taken, kept);
    return drafts.map(({ facts }, index) => faults[index] ?? kept.get(facts.id) ?? exists(facts.id));
  }

  async #record(transaction: Database, drafts: readonly Draft[], kept: ReadonlyMap<CertificateId, Certificate>): Promise<void> {
    const byActor = Map.groupBy(drafts, ({ options }) => options.actor);
    for (const [actor, own] of byActor) {
      const changes = own.flatMap(({ facts }) => {
        const after = kept.get(facts.id);
        return after === undefined ? [] : [{ after }];
      });
      await recordChanges({ transaction, clock: this.#dependencies.clock, actor }, 'certificate.create', changes);
    }
  }

  /** Of devices that have as many as they may, the oldest that nobody has used gives way: nobody is connected with it. */
  async #makeRoom(
    { transaction, actor }: { readonly transaction: Database; readonly actor: Actor },
    deviceIds: readonly string[],
  ): Promise<void> {
    const { clock, onRevoked } = this.#dependencies;
    const active = await activeOfDevices(transaction, deviceIds, clock.now());
    const leaving = [...active.values()].flatMap((certificates) => {
      const tooMany = certificates.length - MAX_ACTIVE_OF_DEVICE + 1;
      const unused = certificates.filter(({ firstUsedAtMs }) => firstUsedAtMs === undefined).reverse();
      return tooMany > 0 ? unused.slice(0, tooMany) : [];
    });
    if (leaving.length === 0) return;
    onRevoked(new Set(leaving.map(({ authorityId }) => authorityId)));
    await writeRevoked({ transaction, clock, actor }, leaving, 'superseded');
  }
}

/** Cut so that no device is twice in a round: the second is to see the first. */
function rounds(drafts: readonly Draft[]): readonly (readonly Draft[])[] {
  const cut: Draft[][] = [[]];
  let seen = new Set<string>();
  for (const draft of drafts) {
    const { deviceId } = draft.options;
    if (deviceId !== undefined && seen.has(deviceId)) {
      cut.push([]);
      seen = new Set();
    }
    if (deviceId !== undefined) seen.add(deviceId);
    cut.at(-1)?.push(draft);
  }
  return cut;
}

function faultOf({ status, purpose, deviceId }: KeepOptions, groups: ReadonlyMap<string, string>): SelsynError | undefined {
  if (deviceId !== undefined) return groups.has(deviceId) ? undefined : noDevice(deviceId);
  if (status === 'active' && purpose === 'device')
    return new SelsynError('internal', 'an active certificate of a device names its device');
  return undefined;
}

function noDevice(id: string): SelsynError {
  return new SelsynError('device.not-found', `there is no device ${id}`, { details: { id } });
}

function exists(id: CertificateId): SelsynError {
  return new SelsynError('certificate.exists', `the certificate ${id} is registered already`, { details: { id } });
}
