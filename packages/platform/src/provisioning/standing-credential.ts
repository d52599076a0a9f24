import type { Database } from '../database/schema.ts';
import { sameHash } from '../kernel/secret.ts';
import { RefusedError, refusal } from './refusal.ts';

/** With what somebody connected who asks for a certificate: one of both, where they showed anything. */
export interface ShownCredential {
  readonly certificateId: string | undefined;
  /** Of the token of a device. */
  readonly tokenHash?: string | undefined;
}

/**
 * While a certificate was signed and a hook was asked, somebody may have taken back that with which it was asked: whoever stole it gets
 * no other for it.
 *
 * @param deviceId the device that asks; undefined for a claim
 * @throws RefusedError
 */
export async function ensureStands(
  { certificateId, tokenHash }: ShownCredential,
  deviceId: string | undefined,
  nowMs: number,
  transaction: Database,
): Promise<void> {
  if (certificateId !== undefined) {
    const row = await transaction
      .selectFrom('certificate')
      .select(['device_id', 'status', 'not_after_ms'])
      .where('id', '=', certificateId)
      .executeTakeFirst();
    if (row?.status === 'active' && row.device_id === (deviceId ?? null) && Number(row.not_after_ms) > nowMs) return;
    throw new RefusedError(
      refusal('credential-invalid', 'the certificate of the connection was revoked meanwhile, or has expired'),
    );
  }
  if (deviceId !== undefined && tokenHash !== undefined) {
    const row = await transaction
      .selectFrom('device_token')
      .select('token_hash')
      .where('device_id', '=', deviceId)
      .executeTakeFirst();
    if (row !== undefined && sameHash(row.token_hash, tokenHash)) return;
    throw new RefusedError(refusal('credential-invalid', 'the token of the connection was taken back meanwhile'));
  }
  throw new RefusedError(refusal('credential-invalid', 'client shows neither a certificate nor a token'));
}
