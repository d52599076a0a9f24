import type { Actor } from '../audit/actor.ts';
import { AuditTrail } from '../audit/audit-trail.ts';
import type { Database } from '../database/schema.ts';
import type { Clock } from '../kernel/clock.ts';
import { ROOT_GROUP } from '../registry/group-path.ts';
import {
  auditOf,
  CERTIFICATE_COLUMNS,
  certificateOf,
  type Certificate,
  type CertificatePurpose,
  type CertificateRow,
} from './certificate-record.ts';
import type { CertificateId, IssuedCertificate, RevocationReason } from './signing.ts';

/** What is kept of the certificate itself; an issued one has all of it. */
export type CertificateFacts = Pick<
  IssuedCertificate,
  'id' | 'authorityId' | 'serial' | 'subject' | 'keyHash' | 'keyKind' | 'notBeforeMs' | 'notAfterMs' | 'der'
>;

/** What is decided about it. */
export interface KeepOptions {
  readonly purpose: CertificatePurpose;
  /** `pending`: deleted after an hour, unless it is activated. */
  readonly status: 'pending' | 'active';
  /** Obligatory for an active one of a device. */
  readonly deviceId?: string | undefined;
  readonly claimBatch?: string | undefined;
  readonly actor: Actor;
}

export interface WriteContext {
  readonly transaction: Database;
  readonly clock: Clock;
  readonly actor: Actor;
}

/** A pending certificate that nobody has activated by then is deleted: so long does its ownership token live (AWS). */
export const PENDING_LIFE_MS = 3_600_000;
const ROWS_PER_STATEMENT = 200;
const SUBJECT_LENGTH = 1_024;

/** When the server is to look at a certificate next: it asks a device for a renewal at two thirds of the life. */
export function dueOf(certificate: Pick<Certificate, 'purpose' | 'notBeforeMs' | 'notAfterMs'>): number {
  const { purpose, notBeforeMs, notAfterMs } = certificate;
  return purpose === 'claim' ? notAfterMs : Math.round(notBeforeMs + ((notAfterMs - notBeforeMs) * 2) / 3);
}

/** A row for a certificate that is new here. */
export function newRow(
  facts: CertificateFacts,
  options: KeepOptions,
  nowMs: number,
): CertificateRow & { readonly der: Uint8Array } {
  const isActive = options.status === 'active';
  return {
    id: facts.id,
    device_id: options.deviceId ?? null,
    purpose: options.purpose,
    status: options.status,
    authority_id: facts.authorityId,
    serial: facts.serial,
    subject: facts.subject.slice(0, SUBJECT_LENGTH),
    key_hash: facts.keyHash,
    key_kind: facts.keyKind,
    not_before_ms: facts.notBeforeMs,
    not_after_ms: facts.notAfterMs,
    created_at_ms: nowMs,
    activated_at_ms: isActive ? nowMs : null,
    first_used_at_ms: null,
    revoked_at_ms: null,
    revocation_reason: null,
    claim_batch: options.claimBatch ?? null,
    due_ms: isActive ? dueOf({ ...facts, purpose: options.purpose }) : nowMs + PENDING_LIFE_MS,
    der: facts.der,
  };
}

/** @returns those that were not there already. */
export async function insertCertificates(
  transaction: Database,
  rows: readonly (CertificateRow & { readonly der: Uint8Array })[],
): Promise<ReadonlySet<CertificateId>> {
  const inserted = new Set<CertificateId>();
  for (let start = 0; start < rows.length; start += ROWS_PER_STATEMENT) {
    const added = await transaction
      .insertInto('certificate')
      .values(rows.slice(start, start + ROWS_PER_STATEMENT))
      .onConflict((conflict) => conflict.column('id').doNothing())
      .returning('id')
      .execute();
    for (const { id } of added) inserted.add(id);
  }
  return inserted;
}

export async function findCertificates(database: Database, ids: readonly CertificateId[]): Promise<readonly Certificate[]> {
  const found: Certificate[] = [];
  for (let start = 0; start < ids.length; start += ROWS_PER_STATEMENT) {
    const rows = await database
      .selectFrom('certificate')
      .select(CERTIFICATE_COLUMNS)
      .where('id', 'in', ids.slice(start, start + ROWS_PER_STATEMENT))
      .execute();
    found.push(...rows.map(certificateOf));
  }
  return found;
}

/** Those of devices that are active and in their time, the newest activation first. */
export async function activeOfDevices(
  database: Database,
  deviceIds: readonly string[],
  nowMs: number,
): Promise<ReadonlyMap<string, readonly Certificate[]>> {
  const found = new Map<string, Certificate[]>();
  for (let start = 0; start < deviceIds.length; start += ROWS_PER_STATEMENT) {
    const rows = await database
      .selectFrom('certificate')
      .select(CERTIFICATE_COLUMNS)
      .where('device_id', 'in', deviceIds.slice(start, start + ROWS_PER_STATEMENT))
      .execute();
    // Not by the statement: SQLite would go through all active ones instead of the few of these devices.
    const standing = rows
      .map(certificateOf)
      .filter(({ status, purpose, notAfterMs }) => status === 'active' && purpose === 'device' && notAfterMs > nowMs);
    for (const certificate of standing) {
      const list = found.get(certificate.deviceId ?? '');
      if (list === undefined) found.set(certificate.deviceId ?? '', [certificate]);
      else list.push(certificate);
    }
  }
  for (const list of found.values()) list.sort(newestFirst);
  return found;
}

/** Activations in the same millisecond are told apart by the times in the certificates, and then by their ids. */
export function newestFirst(one: Certificate, other: Certificate): number {
  return (
    (other.activatedAtMs ?? 0) - (one.activatedAtMs ?? 0) ||
    other.notAfterMs - one.notAfterMs ||
    (one.id < other.id ? 1 : one.id > other.id ? -1 : 0)
  );
}

/** Marks certificates as revoked and says so in the trail. @returns what they are now */
export async function writeRevoked(
  context: WriteContext,
  certificates: readonly Certificate[],
  reason: RevocationReason,
): Promise<readonly Certificate[]> {
  const { transaction, clock } = context;
  const revokedAtMs = clock.now();
  const asked = certificates.filter((certificate) => certificate.status === 'active' && dueOf(certificate) <= revokedAtMs);
  for (let start = 0; start < certificates.length; start += ROWS_PER_STATEMENT) {
    await transaction
      .updateTable('certificate')
      .set({ status: 'revoked', revoked_at_ms: revokedAtMs, revocation_reason: reason, due_ms: null })
      .where(
        'id',
        'in',
        certificates.slice(start, start + ROWS_PER_STATEMENT).map(({ id }) => id),
      )
      .execute();
  }
  // Of these the question for a renewal may be out: the sweeper takes it back.
  for (const { id } of asked)
    await transaction.updateTable('certificate').set({ due_ms: revokedAtMs }).where('id', '=', id).execute();
  const after = certificates.map((certificate): Certificate => ({
    ...certificate,
    status: 'revoked',
    revokedAtMs,
    revocationReason: reason,
  }));
  await recordChanges(
    context,
    'certificate.revoke',
    certificates.map((before, index) => ({ before, after: after[index] })),
  );
  return after;
}

/** Says in the audit trail what became of certificates, each in the group of its device. */
export async function recordChanges(
  { transaction, clock, actor }: WriteContext,
  action: string,
  changes: readonly { readonly before?: Certificate | undefined; readonly after?: Certificate | undefined }[],
): Promise<void> {
  const groups = await groupsOf(
    transaction,
    changes.flatMap(({ before, after }) => [(after ?? before)?.deviceId ?? []].flat()),
  );
  await new AuditTrail({ database: transaction, clock }).record(
    changes.map(({ before, after }) => ({
      actor,
      action,
      object: { kind: 'certificate', id: (after ?? before)?.id ?? '' },
      group: groups.get((after ?? before)?.deviceId ?? '') ?? ROOT_GROUP,
      ...(before !== undefined && { before: auditOf(before) }),
      ...(after !== undefined && { after: auditOf(after) }),
    })),
    transaction,
  );
}

/** The groups of those of the devices that there are. */
export async function groupsOf(database: Database, deviceIds: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const groups = new Map<string, string>();
  const ids = [...new Set(deviceIds)];
  for (let start = 0; start < ids.length; start += ROWS_PER_STATEMENT) {
    const rows = await database
      .selectFrom('device')
      .innerJoin('device_group', 'device_group.id', 'device.group_id')
      .select(['device.id', 'device_group.path'])
      .where('device.id', 'in', ids.slice(start, start + ROWS_PER_STATEMENT))
      .execute();
    for (const { id, path } of rows) groups.set(id, path);
  }
  return groups;
}
