import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { parseDeviceId } from '../kernel/device-id.ts';
import { REVOCATION_REASONS } from '../pki/certificate-record.ts';
import { isEverything } from '../registry/scope.ts';
import { access } from './access-guard.ts';
import type { ApiDependencies } from './api-dependencies.ts';
import { certificateSchema, certificateToJson, pemField, sha256Params } from './certificate-schemas.ts';
import { cursorParameter, deviceParams, wholeNumber } from './parameters.ts';
import { invalidRequest } from './problem.ts';
import { problems } from './route-responses.ts';

const DAY_MS = 86_400_000;
const MAX_DAYS = 36_500;

const issueSchema = z.strictObject({
  csrPem: pemField
    .optional()
    .describe('A certificate request: its signature is checked and its key taken, nothing else of it. Absent: a key is made.'),
  days: z.number().int().min(1).max(MAX_DAYS).optional().describe('How long it is good; the authority’s own end counts.'),
});

const issuedSchema = z
  .object({
    certificateId: z.string(),
    device: z.string(),
    certificatePem: z.string(),
    chainPem: z.string().describe('The intermediates between it and the root; may be empty. A device sends them after its own.'),
    caPem: z
      .string()
      .describe(
        'What the device is to trust so that it connects to this server, unless that has a certificate of another authority.',
      ),
    privateKeyPem: z.string().optional().describe('Where the key was made here. Shown this once: it is kept nowhere.'),
    notAfterMs: z.number(),
  })
  .describe('The device’s new certificate.');

const listSchema = z.strictObject({
  device: z.string().max(128).optional().describe('Of this device.'),
  status: z.enum(['pending', 'active', 'revoked']).optional().describe('In this state.'),
  purpose: z.enum(['device', 'claim']).optional().describe('`claim`: those that units enrol with.'),
  authority: z.string().max(64).optional().describe('The id of the authority that signed it.'),
  claimBatch: z.string().max(128).optional().describe('Of this batch of claim certificates.'),
  serial: z.string().max(200).optional().describe('Hex, as any tool prints it.'),
  fingerprint: z
    .string()
    .min(8)
    .max(200)
    .optional()
    .describe('SHA-256, hex, as any tool prints it, or its first 8 digits and more.'),
  expiringWithinDays: z
    .string()
    .regex(/^\d{1,5}$/, 'must be a whole number')
    .transform(Number)
    .optional()
    .meta({ type: 'integer', minimum: 0, pattern: undefined })
    .describe('Active ones that end within so many days, or have ended; what ends first comes first.'),
  limit: wholeNumber({ min: 1, max: 1000, default: 100 }).describe('Certificates in a page.'),
  cursor: cursorParameter,
});

const pageSchema = z
  .object({
    items: z.array(certificateSchema),
    cursor: z.string().optional().describe('Present when there may be more, also where a page is short.'),
  })
  .describe('A page of certificates, the newest first.');

const revokeSchema = z.strictObject({
  reason: z.enum(REVOCATION_REASONS).default('unspecified').describe('RFC 5280, section 5.3.1.'),
});

const BODY = ['request.too-large', 'request.unsupported-media-type'] as const;

/** The certificates of devices. Those of devices outside of the caller's groups look not there. */
export function certificateRoutes({
  pki,
  devices,
  people,
  clock,
}: Pick<ApiDependencies, 'pki' | 'devices' | 'people' | 'clock'>): FastifyPluginAsyncZod {
  const { certificates } = pki;
  return async (app) => {
    app.post(
      '/devices/:id/certificates',
      {
        config: { permission: 'certificates:write' },
        schema: {
          operationId: 'issueCertificate',
          summary: 'Issue a certificate for a device',
          description:
            'A device has two active certificates at most: the one before is good until the device first connects with this one, and ' +
            'then revoked. Of three the oldest that was never used is revoked at once.',
          tags: ['certificates'],
          params: deviceParams,
          body: issueSchema,
          response: {
            201: issuedSchema,
            ...problems(
              'device.invalid-id',
              'device.not-found',
              'csr.invalid',
              'csr.weak-key',
              'signer.busy',
              'signer.unavailable',
              'thread.timeout',
              ...BODY,
            ),
          },
        },
      },
      async (request, reply) => {
        const device = parseDeviceId(request.params.id);
        const { actor, scope } = access(request);
        await devices.ensureKnown(device, scope);
        const { csrPem, days } = request.body;
        const options = {
          commonName: device,
          purpose: 'device',
          status: 'active',
          deviceId: device,
          actor,
          ...(days !== undefined && { notAfterMs: clock.now() + days * DAY_MS }),
        } as const;
        const issued =
          csrPem === undefined
            ? await certificates.issueWithNewKey(options)
            : await certificates.issueFromCsr({ ...options, csr: csrPem });
        const caPem = await pki.serverRootPem();
        return await reply
          .code(201)
          .header('Location', `/api/v1/certificates/${issued.certificateId}`)
          .send({ ...issued, device, caPem });
      },
    );

    app.get(
      '/certificates',
      {
        config: { permission: 'certificates:read' },
        schema: {
          operationId: 'listCertificates',
          summary: 'List certificates',
          tags: ['certificates'],
          querystring: listSchema,
          response: { 200: pageSchema, ...problems() },
        },
      },
      async (request) => {
        const { device, authority, expiringWithinDays, cursor, ...same } = request.query;
        const { scope } = access(request);
        // A cursor may name a certificate of somebody else.
        const isSealed = !isEverything(scope);
        const { sealedCursors } = people;
        const opened = cursor === undefined || !isSealed ? cursor : sealedCursors.open(cursor);
        if (cursor !== undefined && opened === undefined)
          throw invalidRequest([{ in: 'query', field: 'cursor', message: 'is not one that an earlier answer gave' }]);
        const page = await certificates.list({
          ...same,
          deviceId: device,
          authorityId: authority,
          ...(expiringWithinDays !== undefined && { expiresBeforeMs: clock.now() + expiringWithinDays * DAY_MS }),
          scope,
          cursor: opened,
        });
        return {
          items: page.items.map(certificateToJson),
          ...(page.cursor !== undefined && { cursor: isSealed ? sealedCursors.seal(page.cursor) : page.cursor }),
        };
      },
    );

    app.get(
      '/certificates/:id',
      {
        config: { permission: 'certificates:read' },
        schema: {
          operationId: 'getCertificate',
          summary: 'Show a certificate',
          tags: ['certificates'],
          params: sha256Params,
          querystring: z.strictObject({}),
          response: {
            200: certificateSchema.extend({ certificatePem: z.string() }).describe('A certificate and its bytes.'),
            ...problems('certificate.not-found'),
          },
        },
      },
      async (request) => {
        const certificate = await certificates.get(request.params.id, access(request).scope);
        return { ...certificateToJson(certificate), certificatePem: await certificates.pem(certificate.id) };
      },
    );

    app.post(
      '/certificates/:id/revoke',
      {
        config: { permission: 'certificates:write' },
        schema: {
          operationId: 'revokeCertificate',
          summary: 'Revoke a certificate',
          description:
            'Nobody gets in with it any more, and whoever is in with it is cut, before the answer. It cannot be undone.',
          tags: ['certificates'],
          params: sha256Params,
          body: revokeSchema.prefault({}),
          response: { 200: certificateSchema, ...problems('certificate.not-found', ...BODY) },
        },
      },
      async (request) => {
        const { actor, scope } = access(request);
        const { id } = await certificates.get(request.params.id, scope);
        return certificateToJson(await certificates.revoke(id, request.body.reason, actor));
      },
    );
  };
}
