import { SelsynError } from '../kernel/errors.ts';
import { hashSecret } from '../kernel/secret.ts';
import { isSerial } from './compiled-template.ts';
import { TEMPLATE_NAME } from './provisioning-topics.ts';

/** What a manifest says of one device, as it is kept. */
export interface ManifestRow {
  readonly serial: string;
  /** The claim batch or token with which alone it may enrol; null: any. */
  readonly batch: string | null;
  /** SHA-256 of the public key (SPKI), base64url. */
  readonly keyHash: string | null;
  /** SHA-256 of the HMAC that it has to show: who reads the database learns no HMAC. */
  readonly proofHash: string | null;
}

export const MANIFEST_FIELDS = ['serial', 'batch', 'keyHash', 'hmac'] as const;
export type ManifestField = (typeof MANIFEST_FIELDS)[number];

const MAX_SHOWN = 128;
/** 16 to 64 bytes. */
const HMAC = /^[0-9a-f]{32,128}$/;

/**
 * Reads one row.
 *
 * @param byDefault the batch of rows that name none.
 * @throws SelsynError `request.invalid` with the field
 */
export function readManifestRow(raw: Readonly<Record<string, unknown>>, byDefault: string | undefined): ManifestRow {
  for (const name of Object.keys(raw)) {
    if (!(MANIFEST_FIELDS as readonly string[]).includes(name))
      throw invalid(
        name.slice(0, MAX_SHOWN),
        `there is no field "${name.slice(0, MAX_SHOWN)}": there are ${MANIFEST_FIELDS.join(', ')}`,
      );
  }
  const serial = textOf(raw, 'serial');
  if (serial === undefined) throw invalid('serial', 'the row has no serial');
  if (!isSerial(serial)) throw invalid('serial', 'a serial number has 1 to 128 printable characters');
  const batch = textOf(raw, 'batch') ?? byDefault;
  if (batch !== undefined && !TEMPLATE_NAME.test(batch))
    throw invalid('batch', 'the name of a batch is 1 to 128 of A-Z a-z 0-9 : _ . -');
  const keyHash = textOf(raw, 'keyHash');
  const hmac = textOf(raw, 'hmac')?.toLowerCase();
  if (hmac !== undefined && !HMAC.test(hmac)) throw invalid('hmac', 'an HMAC is 16 to 64 bytes in hex');
  return {
    serial,
    batch: batch ?? null,
    keyHash: keyHash === undefined ? null : readKeyHash(keyHash),
    proofHash: hmac === undefined ? null : hashSecret(hmac),
  };
}

/** As openssl prints SHA-256 (64 hex digits, with colons or without), or as base64 or base64url. */
function readKeyHash(text: string): string {
  const hex = text.replaceAll(':', '').toLowerCase();
  if (/^[0-9a-f]{64}$/.test(hex)) return Buffer.from(hex, 'hex').toString('base64url');
  const base64 = text.replaceAll('+', '-').replaceAll('/', '_').replace(/=$/, '');
  const bytes = /^[A-Za-z0-9_-]{43}$/.test(base64) ? Buffer.from(base64, 'base64url') : undefined;
  // Spelt back, so that the last character has no bits to spare.
  if (bytes !== undefined && bytes.toString('base64url') === base64) return base64;
  throw invalid('keyHash', 'it is no SHA-256 of a public key (SPKI): 64 hex digits, or base64');
}

function textOf(raw: Readonly<Record<string, unknown>>, field: ManifestField): string | undefined {
  const value = raw[field];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'string') throw invalid(field, `${field} is no text`);
  const text = value.trim();
  return text === '' ? undefined : text;
}

function invalid(field: string, message: string): SelsynError {
  return new SelsynError('request.invalid', message, { details: { field } });
}
