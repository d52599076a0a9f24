import { PreparedLookup } from '../database/prepared-lookup.ts';
import type { Database, Schema } from '../database/schema.ts';

/** What the registry knows of a certificate that a client showed. */
export interface KnownCertificate {
  /** SHA-256 of it, hex: also AWS's certificate id. */
  readonly id: string;
  readonly purpose: 'device' | 'claim';
  readonly deviceId: string | undefined;
  readonly claimBatch: string | undefined;
  readonly status: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** Nobody has connected with it yet. */
  readonly isFresh: boolean;
}

/** The certificates that are registered, as last committed. */
export class KnownCertificates {
  readonly #byId: PreparedLookup<CertificateRow>;

  /** @param database may be a read-only connection of this thread. */
  constructor(database: Database) {
    this.#byId = new PreparedLookup(database, (id) =>
      database
        .selectFrom('certificate')
        .select(['purpose', 'device_id', 'claim_batch', 'status', 'not_before_ms', 'not_after_ms', 'first_used_at_ms'])
        .where('id', '=', id),
    );
  }

  /** Undefined: it was never registered here, or is there no more. */
  async find(id: string): Promise<KnownCertificate | undefined> {
    const [row] = await this.#byId.find(id);
    if (row === undefined) return undefined;
    return {
      id,
      purpose: row.purpose === 'claim' ? 'claim' : 'device',
      deviceId: row.device_id ?? undefined,
      claimBatch: row.claim_batch ?? undefined,
      status: row.status,
      notBeforeMs: Number(row.not_before_ms),
      notAfterMs: Number(row.not_after_ms),
      isFresh: row.first_used_at_ms === null,
    };
  }
}

type CertificateRow = Pick<
  Schema['certificate'],
  'purpose' | 'device_id' | 'claim_batch' | 'status' | 'not_before_ms' | 'not_after_ms' | 'first_used_at_ms'
>;

/** Why a certificate does not let anybody in now; undefined: it does. */
export function faultOfCertificate(certificate: KnownCertificate, nowMs: number): string | undefined {
  const name = certificate.id.slice(0, 16);
  if (certificate.status === 'pending') return `certificate ${name}… is not active: its device has not been provisioned`;
  if (certificate.status !== 'active') return `certificate ${name}… is ${certificate.status}`;
  if (nowMs < certificate.notBeforeMs) return `certificate ${name}… is not valid yet`;
  if (nowMs >= certificate.notAfterMs) return `certificate ${name}… has expired`;
  return undefined;
}

/** Why a claim certificate lets nobody in now, because of its batch; undefined: it does. */
export async function faultOfClaimBatch(
  database: Database,
  { claimBatch }: Pick<KnownCertificate, 'claimBatch'>,
  nowMs: number,
): Promise<string | undefined> {
  if (claimBatch === undefined) return undefined;
  const row = await database
    .selectFrom('claim_batch')
    .select(['stopped_at_ms', 'expires_at_ms'])
    .where('name', '=', claimBatch)
    .executeTakeFirst();
  if (row === undefined) return undefined;
  if (row.stopped_at_ms !== null) return `the claim batch ${claimBatch} is stopped`;
  return Number(row.expires_at_ms) <= nowMs ? `the claim batch ${claimBatch} has expired` : undefined;
}
