import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { SelsynError } from '../kernel/errors.ts';
import { OUTCOMES } from '../provisioning/attempts.ts';
import { TEMPLATE_NAME } from '../provisioning/provisioning-topics.ts';
import { QUARANTINE_STATES } from '../provisioning/quarantine.ts';
import { decodePageCursor, encodePageCursor } from '../registry/page-cursor.ts';
import { access } from './access-guard.ts';
import type { ApiDependencies } from './api-dependencies.ts';
import { cursorParameter, wholeNumber } from './parameters.ts';
import {
  attemptSchema,
  attemptToJson,
  manifestEntrySchema,
  quarantinedToJson,
  quarantineSchema,
  serialParams,
  templateParams,
  uploadSchema,
} from './provisioning-schemas.ts';
import { problems } from './route-responses.ts';
import { CSV_TYPE, JSON_LINES_TYPE } from './text-download.ts';

/** A larger manifest comes in parts: what is there already does no harm. */
export const MAX_MANIFEST_PART = 4 * 1024 * 1024;
/** Parts that are taken at once: each is in memory. */
const MAX_PARTS = 4;
const limit = wholeNumber({ min: 1, max: 1000, default: 100 }).describe('Items in a page.');
const templateField = z.string().min(1).max(128).describe('The name of a template.');
const serialField = z.string().min(1).max(128).describe('A serial number.');

/** Which devices come in, and what became of those that wanted to. What is outside of the caller's own nodes looks not there. */
export function enrolmentRoutes({ provisioning }: Pick<ApiDependencies, 'provisioning'>): FastifyPluginAsyncZod {
  const { manifest, quarantine, attempts } = provisioning;
  return async (app) => {
    let parts = 0;
    app.addContentTypeParser(
      [CSV_TYPE, JSON_LINES_TYPE],
      { parseAs: 'buffer', bodyLimit: MAX_MANIFEST_PART },
      (_request, body, done) => done(null, body),
    );

    app.post(
      '/provisioning/templates/:name/manifest',
      {
        config: { permission: 'provisioning:write' },
        onRequest: async (_request, reply) => {
          if (parts >= MAX_PARTS)
            throw new SelsynError('import.busy', 'too many manifests are being taken at once', { retryable: true });
          parts += 1;
          reply.raw.once('close', () => (parts -= 1));
        },
        schema: {
          operationId: 'addToManifest',
          summary: 'Add serial numbers to a manifest',
          description:
            `The body (\`${CSV_TYPE}\` or \`${JSON_LINES_TYPE}\`, at most 4 MB) has rows of serial, batch, keyHash, hmac; only serial must ` +
            'be there. More comes in several requests, CSV with its first line in each. To repeat one does no harm.',
          tags: ['provisioning'],
          consumes: [CSV_TYPE, JSON_LINES_TYPE],
          params: templateParams,
          querystring: z.strictObject({
            batch: z
              .string()
              .regex(TEMPLATE_NAME)
              .optional()
              .describe('For rows that name none: the claim batch or token with which alone they may enrol.'),
          }),
          response: {
            200: uploadSchema,
            ...problems('template.not-found', 'import.busy', 'request.too-large', 'request.unsupported-media-type'),
          },
        },
      },
      async (request, reply) => {
        const { actor, scope } = access(request);
        const bytes = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
        const format = request.headers['content-type']?.startsWith(CSV_TYPE) === true ? 'csv' : 'jsonl';
        const gone = new AbortController();
        reply.raw.once('close', () => gone.abort());
        const { batch } = request.query;
        const upload = await manifest.upload(
          request.params.name,
          once(bytes),
          { format, batch, signal: gone.signal },
          scope,
          actor,
        );
        return { ...upload, refusals: [...upload.refusals] };
      },
    );

    app.get(
      '/provisioning/templates/:name/manifest',
      {
        config: { permission: 'provisioning:read' },
        schema: {
          operationId: 'listManifest',
          summary: 'List the manifest of a template',
          tags: ['provisioning'],
          params: templateParams,
          querystring: z.strictObject({
            serial: serialField.optional(),
            state: z.enum(['used', 'unused']).optional().describe('Absent: both.'),
            limit,
            cursor: cursorParameter,
          }),
          response: {
            200: z.object({ items: z.array(manifestEntrySchema), cursor: z.string().optional() }).describe('By serial number.'),
            ...problems('template.not-found'),
          },
        },
      },
      async (request) => {
        const { serial, state, limit: size, cursor } = request.query;
        const after = cursor === undefined ? undefined : decodePageCursor(cursor);
        const found = await manifest.list(request.params.name, { serial, state, after, limit: size + 1 }, access(request).scope);
        return pageOf(found, size, (last) => last.serial);
      },
    );

    app.delete(
      '/provisioning/templates/:name/manifest/:serial',
      {
        config: { permission: 'provisioning:write' },
        schema: {
          operationId: 'removeFromManifest',
          summary: 'Take a serial number out of a manifest',
          description: 'It may not enrol from now on. A device that has stays.',
          tags: ['provisioning'],
          params: serialParams,
          querystring: z.strictObject({}),
          response: { 204: z.null().describe('Removed.'), ...problems('template.not-found', 'manifest.not-found') },
        },
      },
      async (request, reply) => {
        const { actor, scope } = access(request);
        await manifest.remove(request.params.name, request.params.serial, scope, actor);
        return reply.code(204).send(null);
      },
    );

    app.get(
      '/provisioning/quarantine',
      {
        config: { permission: 'provisioning:read' },
        schema: {
          operationId: 'listQuarantine',
          summary: 'List serial numbers that enrolled again',
          tags: ['provisioning'],
          querystring: z.strictObject({
            state: z
              .enum([...QUARANTINE_STATES, 'all'])
              .default('waiting')
              .describe('Of the decision.'),
            template: templateField.optional(),
            limit,
            cursor: cursorParameter,
          }),
          response: {
            200: z
              .object({ items: z.array(quarantineSchema), cursor: z.string().optional() })
              .describe('The last that came first.'),
            ...problems(),
          },
        },
      },
      async (request) => {
        const { state, template, limit: size, cursor } = request.query;
        const offset = cursor === undefined ? 0 : numberIn(cursor);
        const query = {
          state: state === 'all' ? undefined : state,
          template,
          offset,
          limit: size + 1,
          scope: access(request).scope,
        };
        const found = (await quarantine.list(query)).map(quarantinedToJson);
        return pageOf(found, size, () => String(offset + size));
      },
    );

    for (const decision of ['release', 'refuse'] as const) {
      app.post(
        `/provisioning/templates/:name/quarantine/:serial/${decision}`,
        {
          config: { permission: 'provisioning:write' },
          schema: {
            operationId: decision === 'release' ? 'releaseQuarantined' : 'refuseQuarantined',
            summary: decision === 'release' ? 'Let a serial number enrol once more' : 'Keep a serial number out',
            description:
              decision === 'release'
                ? 'When it does, whatever its device had before to connect with is revoked.'
                : 'What its device has to connect with stays good.',
            tags: ['provisioning'],
            params: serialParams,
            querystring: z.strictObject({}),
            response: { 200: quarantineSchema, ...problems('quarantine.not-found', 'quarantine.resolved') },
          },
        },
        async (request) => {
          const { actor, scope } = access(request);
          const { name: template, serial } = request.params;
          return quarantinedToJson(await quarantine.resolve({ template, serial, decision }, scope, actor));
        },
      );
    }

    app.get(
      '/provisioning/attempts',
      {
        config: { permission: 'provisioning:read' },
        schema: {
          operationId: 'listAttempts',
          summary: 'List attempts to enrol, step by step',
          description: 'The newest 200,000 of the last 30 days are kept.',
          tags: ['provisioning'],
          querystring: z.strictObject({
            template: templateField.optional(),
            serial: serialField.optional(),
            device: z.string().min(1).max(128).optional().describe('A device id.'),
            claim: z.string().min(1).max(128).optional().describe('The claim batch or token.'),
            outcome: z.enum(OUTCOMES).optional().describe('Only those that came to this.'),
            limit,
            cursor: cursorParameter,
          }),
          response: {
            200: z.object({ items: z.array(attemptSchema), cursor: z.string().optional() }).describe('Newest first.'),
            ...problems(),
          },
        },
      },
      async (request) => {
        const { template, serial, device, claim, outcome, limit: size, cursor } = request.query;
        const before = cursor === undefined ? undefined : numberIn(cursor);
        const found = await attempts.list({
          template,
          serial,
          deviceId: device,
          claimBatch: claim,
          outcome,
          before,
          limit: size + 1,
          scope: access(request).scope,
        });
        return pageOf(found.map(attemptToJson), size, (last) => String(last.id));
      },
    );
  };
}

/** One more than the page was read. */
function pageOf<T>(found: readonly T[], size: number, placeOf: (last: T) => string): { items: T[]; cursor?: string } {
  const items = found.slice(0, size);
  const last = items.at(-1);
  return found.length > size && last !== undefined ? { items, cursor: encodePageCursor(placeOf(last)) } : { items };
}

/** @throws SelsynError `request.invalid` */
function numberIn(cursor: string): number {
  const place = decodePageCursor(cursor);
  if (/^\d{1,15}$/.test(place)) return Number(place);
  throw new SelsynError('request.invalid', 'the cursor is not one that an earlier answer gave', { details: { field: 'cursor' } });
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
