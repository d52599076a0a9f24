import { type Expression, sql } from 'kysely';
import type { Database } from '../database/schema.ts';
import type { Clock } from '../kernel/clock.ts';
import type { DeviceId } from '../kernel/device-id.ts';
import { SelsynError } from '../kernel/errors.ts';
import { DeviceStore } from '../registry/device-store.ts';
import { EVERYTHING, isEverything, type Scope, scopeIncludes } from '../registry/scope.ts';
import {
  CERTIFICATE_COLUMNS,
  certificateOf,
  type Certificate,
  type CertificatePurpose,
  type CertificateStatus,
  readSerial,
} from './certificate-record.ts';

/** Which certificates are asked for; absent fields allow all. */
export interface CertificateQuery {
  readonly deviceId?: string | undefined;
  readonly status?: CertificateStatus | undefined;
  readonly purpose?: CertificatePurpose | undefined;
  readonly authorityId?: string | undefined;
  readonly claimBatch?: string | undefined;
  /** As any tool prints it. */
  readonly serial?: string | undefined;
  /** SHA-256 of the certificate, hex, with or without colons; the first 8 digits do. */
  readonly fingerprint?: string | undefined;
  /** Active ones that end before this, the one that ends first first; those that have ended too. */
  readonly expiresBeforeMs?: number | undefined;
  /** Only those of devices in this part of the tree. Certificates of no device belong to all. */
  readonly scope?: Scope | undefined;
  readonly limit: number;
  readonly cursor?: string | undefined;
}

export interface CertificatePage {
  /** The newest first; by `expiresBeforeMs`: the one that ends first first. */
  readonly items: readonly Certificate[];
  /** Present when there may be more. A page may have fewer items than asked for, or none, and still go on. */
  readonly cursor?: string;
}

interface Place {
  /** Of the column that the list is ordered by. */
  readonly key: number;
  readonly id: string;
}

const ROWS_PER_LOOK = 2_000;
/** A page looks at no more: some 50 ms. */
const MAX_LOOKS = 10;
const FEW_DEVICES = 1_000;
/** An empty list is not SQL. */
const NO_DEVICE = '';
/** Certificates that begin with the same digits. */
const MAX_ALIKE = 1_000;

/**
 * A page of the certificates. The work for one is bounded: what has no index is looked for among so many certificates, and the cursor
 * says where to go on.
 *
 * @throws SelsynError `request.invalid` for a cursor that is none.
 */
export async function listCertificates(
  { database, clock }: { readonly database: Database; readonly clock: Clock },
  query: CertificateQuery,
): Promise<CertificatePage> {
  const matches = filterOf(query);
  if (matches === undefined) return { items: [] };
  const among = await fewDevicesOf(new DeviceStore({ database, clock }), query);
  const items: Certificate[] = [];
  const rowsPerLook = isPlain(query) ? Math.min(query.limit + 1, ROWS_PER_LOOK) : ROWS_PER_LOOK;
  let place = query.cursor === undefined ? undefined : readCursor(query.cursor);
  for (let look = 0; look < MAX_LOOKS; look++) {
    const rows = await rowsAfter(database, { ...query, among }, place, rowsPerLook);
    for (const row of rows) {
      const certificate = certificateOf(row);
      if (matches(certificate, row.path)) {
        if (items.length === query.limit) return { items, ...(place !== undefined && { cursor: writeCursor(place) }) };
        items.push(certificate);
      }
      place = { key: query.expiresBeforeMs === undefined ? certificate.createdAtMs : certificate.notAfterMs, id: row.id };
    }
    if (rows.length < rowsPerLook) return { items };
    await new Promise((resolve) => setImmediate(resolve));
  }
  return { items, ...(place !== undefined && { cursor: writeCursor(place) }) };
}

/** The devices of a small scope, by which its certificates are found at once; undefined where there are many, or all may be seen. */
async function fewDevicesOf(
  devices: DeviceStore,
  { scope = EVERYTHING, deviceId, serial, fingerprint }: CertificateQuery,
): Promise<readonly DeviceId[] | undefined> {
  const hasIndex = [deviceId, serial, fingerprint].some((each) => each !== undefined);
  if (hasIndex || isEverything(scope) || (await devices.count({ scope })) > FEW_DEVICES) return undefined;
  return (await devices.list({ scope, limit: FEW_DEVICES })).items.map(({ id }) => id);
}

async function rowsAfter(
  database: Database,
  query: CertificateQuery & { readonly among: readonly DeviceId[] | undefined },
  after: Place | undefined,
  limit: number,
) {
  const { deviceId, expiresBeforeMs, among } = query;
  let rows = database
    .selectFrom('certificate')
    .leftJoin('device', 'device.id', 'certificate.device_id')
    .leftJoin('device_group', 'device_group.id', 'device.group_id')
    .select(CERTIFICATE_COLUMNS.map((column) => `certificate.${column}` as const))
    .select('device_group.path')
    .limit(limit);
  if (deviceId !== undefined) rows = rows.where('certificate.device_id', '=', deviceId);
  if (among !== undefined) rows = rows.where('certificate.device_id', 'in', [...among, NO_DEVICE]);
  const serial = query.serial === undefined ? undefined : readSerial(query.serial);
  if (serial !== undefined) rows = rows.where('certificate.serial', '=', serial);
  const digits = query.fingerprint === undefined ? undefined : readFingerprint(query.fingerprint);
  if (digits !== undefined) {
    const ids = database.selectFrom('certificate').select('id').where('id', '>=', digits).where('id', '<', `${digits}g`);
    rows = rows.where('certificate.id', 'in', ids.orderBy('id').limit(MAX_ALIKE));
  }
  if (expiresBeforeMs === undefined) {
    rows = rows
      .orderBy((builder) => unindexed(builder.ref('certificate.created_at_ms'), among), 'desc')
      .orderBy('certificate.id', 'desc');
    if (after === undefined) return await rows.execute();
    return await rows
      .where('certificate.created_at_ms', '<=', after.key)
      .where((builder) =>
        builder.or([builder('certificate.created_at_ms', '<', after.key), builder('certificate.id', '<', after.id)]),
      )
      .execute();
  }
  rows = rows
    .where('certificate.status', '=', 'active')
    .where('certificate.not_after_ms', '<', expiresBeforeMs)
    .orderBy((builder) => unindexed(builder.ref('certificate.not_after_ms'), among))
    .orderBy('certificate.id');
  if (after === undefined) return await rows.execute();
  return await rows
    .where('certificate.not_after_ms', '>=', after.key)
    .where((builder) =>
      builder.or([builder('certificate.not_after_ms', '>', after.key), builder('certificate.id', '>', after.id)]),
    )
    .execute();
}

/** A sum has no index: what is among a few devices is found by them and sorted, not looked for in the order of the list. */
function unindexed(column: Expression<number>, among: readonly DeviceId[] | undefined): Expression<number> {
  return among === undefined ? column : sql<number>`${column} + 0`;
}

/** Undefined: nothing matches. */
function filterOf(query: CertificateQuery): ((certificate: Certificate, group: string | null) => boolean) | undefined {
  const { status, purpose, authorityId, claimBatch, scope = EVERYTHING } = query;
  if (query.serial !== undefined && readSerial(query.serial) === undefined) return undefined;
  if (query.fingerprint !== undefined && readFingerprint(query.fingerprint) === undefined) return undefined;
  const all = isEverything(scope);
  return (certificate, group) =>
    (all || (group !== null && scopeIncludes(scope, group))) &&
    (status === undefined || certificate.status === status) &&
    (purpose === undefined || certificate.purpose === purpose) &&
    (authorityId === undefined || certificate.authorityId === authorityId) &&
    (claimBatch === undefined || certificate.claimBatch === claimBatch);
}

/** Whether each row that is read is one of the answer. */
function isPlain({ status, purpose, authorityId, claimBatch, scope }: CertificateQuery): boolean {
  return [status, purpose, authorityId, claimBatch].every((each) => each === undefined) && isEverything(scope ?? EVERYTHING);
}

function readFingerprint(text: string): string | undefined {
  const digits = text.replaceAll(':', '').toLowerCase();
  return /^[0-9a-f]{8,64}$/.test(digits) ? digits : undefined;
}

function writeCursor({ key, id }: Place): string {
  return Buffer.from(`${key}.${id}`, 'utf8').toString('base64url');
}

function readCursor(cursor: string): Place {
  const [, key, id] = /^(\d{1,16})\.([0-9a-f]{64})$/.exec(Buffer.from(cursor, 'base64url').toString('utf8')) ?? [];
  if (key !== undefined && id !== undefined) return { key: Number(key), id };
  throw new SelsynError('request.invalid', 'the cursor is not one that an earlier answer gave', { details: { field: 'cursor' } });
}
