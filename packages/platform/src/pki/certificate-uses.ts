import { systemActor } from '../audit/actor.ts';
import { inTransaction } from '../database/in-transaction.ts';
import type { Database } from '../database/schema.ts';
import type { Clock } from '../kernel/clock.ts';
import { SelsynError } from '../kernel/errors.ts';
import { principalOf, type Certificate } from './certificate-record.ts';
import { activeOfDevices, findCertificates, newestFirst, writeRevoked } from './certificate-store.ts';
import { Gathering } from './gathering.ts';
import type { CertificateId } from './signing.ts';

const MAX_BATCH = 500;
/** What comes beyond is reported again at the next connection. */
const MAX_WAITING = 100_000;

interface Dependencies {
  readonly database: Database;
  readonly clock: Clock;
  readonly onAccessChanged: (principals: readonly string[]) => Promise<void>;
  readonly onRevoked: (authorityIds: ReadonlySet<CertificateId>) => void;
}

/** Notes that certificates were used for the first time, and ends the rotation of their devices. */
export class CertificateUses {
  readonly #gathering: Gathering<CertificateId, true>;

  constructor(dependencies: Dependencies) {
    this.#gathering = new Gathering({
      work: async (ids) => {
        await note(dependencies, ids);
        return ids.map(() => true as const);
      },
      maxBatch: MAX_BATCH,
      maxUnderWay: 1,
      maxWaiting: MAX_WAITING,
      full: () => new SelsynError('server.not-ready', 'too many certificates are used for the first time', { retryable: true }),
    });
  }

  async first(id: CertificateId): Promise<void> {
    await this.#gathering.add(id);
  }
}

async function note({ database, clock, onAccessChanged, onRevoked }: Dependencies, ids: readonly CertificateId[]): Promise<void> {
  const superseded = await inTransaction(database, async (transaction) => {
    const used = (await findCertificates(transaction, ids)).filter(
      ({ status, firstUsedAtMs }) => status === 'active' && firstUsedAtMs === undefined,
    );
    if (used.length === 0) return [];
    await transaction
      .updateTable('certificate')
      .set({ first_used_at_ms: clock.now() })
      .where(
        'id',
        'in',
        used.map(({ id }) => id),
      )
      .execute();
    const leaving = await olderThan(transaction, used, clock.now());
    if (leaving.length === 0) return [];
    onRevoked(new Set(leaving.map(({ authorityId }) => authorityId)));
    return await writeRevoked({ transaction, clock, actor: systemActor('certificate-rotation') }, leaving, 'superseded');
  });
  const principals = new Set(superseded.map(principalOf).filter((id) => id !== undefined));
  if (principals.size > 0) await onAccessChanged([...principals]);
}

/** The active certificates of the same devices that were activated before these. */
async function olderThan(transaction: Database, used: readonly Certificate[], nowMs: number): Promise<readonly Certificate[]> {
  const newest = new Map<string, Certificate>();
  for (const certificate of used) {
    const { deviceId, purpose } = certificate;
    if (deviceId === undefined || purpose !== 'device') continue;
    const before = newest.get(deviceId);
    if (before === undefined || newestFirst(certificate, before) < 0) newest.set(deviceId, certificate);
  }
  const active = await activeOfDevices(transaction, [...newest.keys()], nowMs);
  return [...active].flatMap(([deviceId, certificates]) => {
    const now = newest.get(deviceId);
    return now === undefined ? [] : certificates.filter((each) => newestFirst(now, each) < 0);
  });
}
