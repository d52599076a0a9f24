import { z } from 'zod';
import type { AuthorityRecord } from '../pki/authority-record.ts';
import { REVOCATION_REASONS, type Certificate } from '../pki/certificate-record.ts';

export const certificateSchema = z
  .object({
    id: z.string().describe('SHA-256 of the certificate, hex.'),
    device: z.string().optional(),
    purpose: z.enum(['device', 'claim']),
    status: z.enum(['pending', 'active', 'revoked']).describe('`pending`: not of a device yet; deleted after an hour.'),
    claimBatch: z.string().optional(),
    authority: z.string().describe('The id of the authority that signed it.'),
    serial: z.string().describe('Hex, lower case.'),
    subject: z.string(),
    keyHash: z.string().describe('SHA-256 of the public key (SPKI), base64url.'),
    keyKind: z.string().describe('`P-256`, `RSA-2048`, …'),
    notBeforeMs: z.number(),
    notAfterMs: z.number(),
    createdAtMs: z.number(),
    activatedAtMs: z.number().optional(),
    firstUsedAtMs: z.number().optional().describe('When its holder first connected with it.'),
    revokedAtMs: z.number().optional(),
    revocationReason: z.enum(REVOCATION_REASONS).optional(),
  })
  .describe('A certificate.');

export function certificateToJson({ deviceId, authorityId, ...same }: Certificate): z.output<typeof certificateSchema> {
  return { ...same, ...(deviceId !== undefined && { device: deviceId }), authority: authorityId };
}

export const authoritySchema = z
  .object({
    id: z.string().describe('SHA-256 of its certificate, hex.'),
    kind: z.enum(['own', 'registered']).describe('`own`: of this server.'),
    status: z
      .enum(['active', 'inactive', 'revoked'])
      .describe('`inactive`: no new devices by it; those that are registered go on. `revoked`: for good.'),
    subject: z.string(),
    keyId: z.string().describe('Its subject key identifier, hex; may be empty.'),
    notBeforeMs: z.number(),
    notAfterMs: z.number(),
    createdAtMs: z.number(),
    template: z.string().optional().describe('By which its devices are registered when they first connect.'),
    revokedAtMs: z.number().optional(),
    certificatePem: z.string(),
  })
  .describe('An authority whose certificates are taken.');

export function authorityToJson(authority: AuthorityRecord): z.output<typeof authoritySchema> {
  return authority;
}

/** In a path. */
export const sha256Params = z.object({
  id: z
    .string()
    .regex(/^[0-9a-f]{64}$/, 'must be 64 hex digits, lower case')
    .meta({ description: 'SHA-256 of the certificate, hex.', pattern: '^[0-9a-f]{64}$' }),
});

/** A certificate or a request with an RSA key of 4096 bits has 3 KB. */
export const pemField = z.string().min(1).max(24_000);
