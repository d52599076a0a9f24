import { z } from 'zod';
import { DOORS, OUTCOMES, type Attempt } from '../provisioning/attempts.ts';
import type { ClaimBatch } from '../provisioning/claim-batch.ts';
import { QUARANTINE_STATES, type Quarantined } from '../provisioning/quarantine.ts';
import { TEMPLATE_NAME } from '../provisioning/provisioning-topics.ts';
import type { Template } from '../provisioning/template.ts';
import { templateDefinitionSchema } from '../provisioning/template-check.ts';

export const templateParams = z.object({
  name: z.string().min(1).max(128).meta({ description: 'The name of the template.', pattern: TEMPLATE_NAME.source }),
});

export const serialParams = templateParams.extend({ serial: z.string().min(1).max(128).describe('The serial number.') });

export const claimParams = z.object({
  name: z.string().min(1).max(128).meta({ description: 'The name of the claim batch.', pattern: TEMPLATE_NAME.source }),
});

export const templateSchema = templateDefinitionSchema
  .extend({
    name: z.string(),
    enabled: z.boolean(),
    group: z.string().describe('All its devices come to stand here or below: the constant part of `device.group`.'),
    createdAtMs: z.number(),
    updatedAtMs: z.number(),
  })
  .describe('A provisioning template: what a device becomes, from what it says of itself.');

export const templateBodySchema = z.union([
  templateDefinitionSchema.extend({ enabled: z.boolean().default(true).describe('While false nobody enrols by it.') }),
  z
    .strictObject({
      awsTemplate: z.record(z.string(), z.unknown()).describe('The body of an AWS provisioning template.'),
      description: z.string().max(1_000).default(''),
      enabled: z.boolean().default(true),
      manifestRequired: z.boolean().default(true),
      serial: z.string().max(128).optional().describe('Which parameter is the serial number; absent: that of ThingName.'),
      hook: z.strictObject({ url: z.string().max(2_048) }).optional(),
    })
    .describe('A template as AWS IoT has it; it is kept in the form of this platform.'),
]);

export const claimSchema = z
  .object({
    name: z.string(),
    template: z.string(),
    group: z.string(),
    maxCount: z.number().describe('Devices that may enrol with it.'),
    enrolled: z.number().describe('Those that have.'),
    ratePerMinute: z.number().describe('Requests a minute, of all its units together.'),
    expiresAtMs: z.number(),
    createdAtMs: z.number(),
    stoppedAtMs: z.number().optional().describe('From then on nobody enrols with it.'),
  })
  .describe('A claim batch: what the holders of its certificates may do.');

export const certificateSchema = z
  .object({
    certificateId: z.string().describe('SHA-256 of the certificate, hex.'),
    certificatePem: z.string(),
    chainPem: z.string().describe('The intermediates between it and the root; may be empty.'),
    caPem: z.string().describe('The root that verifies it.'),
    privateKeyPem: z.string().optional().describe('Shown this once, and kept nowhere. Absent where a CSR was given.'),
    notAfterMs: z.number(),
  })
  .describe('A claim certificate.');

export const manifestEntrySchema = z
  .object({
    serial: z.string(),
    batch: z.string().optional().describe('The claim batch or token with which alone it may enrol.'),
    keyHash: z.string().optional().describe('SHA-256 of the public key that it must have, base64url.'),
    hmac: z.boolean().describe('Whether it must show an HMAC.'),
    addedAtMs: z.number(),
    usedAtMs: z.number().optional().describe('When it enrolled.'),
  })
  .describe('A serial number that may enrol, once.');

export const uploadSchema = z
  .object({
    rows: z.number(),
    added: z.number(),
    unchanged: z.number().describe('They were there, just so.'),
    refused: z.number(),
    refusals: z
      .array(
        z.object({ row: z.number().describe('From 1, without the header.'), serial: z.string().optional(), reason: z.string() }),
      )
      .describe('The first 10,000 of them.'),
  })
  .describe('What became of the rows.');

export const quarantineSchema = z
  .object({
    template: z.string(),
    serial: z.string(),
    deviceId: z.string(),
    group: z.string(),
    state: z.enum(QUARANTINE_STATES),
    reason: z.string().describe('For people.'),
    door: z.enum(DOORS),
    claimBatch: z.string().optional(),
    clientId: z.string().optional(),
    remoteAddress: z.string().optional(),
    attempts: z.number().describe('How often it came.'),
    firstAtMs: z.number(),
    lastAtMs: z.number(),
    resolvedAtMs: z.number().optional(),
    resolvedBy: z.string().optional(),
  })
  .describe('A serial number that enrolled again.');

export const attemptSchema = z
  .object({
    id: z.number(),
    atMs: z.number(),
    door: z.enum(DOORS),
    outcome: z.enum(OUTCOMES),
    reason: z.string().optional().describe('Why it was refused, for programs.'),
    template: z.string().optional(),
    serial: z.string().optional(),
    deviceId: z.string().optional(),
    certificateId: z.string().optional(),
    claimBatch: z.string().optional().describe('The claim batch or token.'),
    clientId: z.string().optional(),
    remoteAddress: z.string().optional(),
    group: z.string(),
    steps: z.array(z.string()).describe('What was done, in order.'),
  })
  .describe('What became of somebody who wanted to enrol.');

/** Mutable copies, as the answers of routes are typed. */
export function templateToJson(template: Template): z.infer<typeof templateSchema> {
  return structuredClone(template) as z.infer<typeof templateSchema>;
}

export function claimToJson(batch: ClaimBatch): z.infer<typeof claimSchema> {
  return batch;
}

export function quarantinedToJson(quarantined: Quarantined): z.infer<typeof quarantineSchema> {
  return quarantined;
}

export function attemptToJson(attempt: Attempt): z.infer<typeof attemptSchema> {
  return { ...attempt, steps: [...attempt.steps] };
}

export type TemplateJson = z.infer<typeof templateSchema>;
export type ClaimJson = z.infer<typeof claimSchema>;
export type ClaimCertificateJson = z.infer<typeof certificateSchema>;
export type ManifestEntryJson = z.infer<typeof manifestEntrySchema>;
export type ManifestUploadJson = z.infer<typeof uploadSchema>;
export type QuarantineJson = z.infer<typeof quarantineSchema>;
export type AttemptJson = z.infer<typeof attemptSchema>;
