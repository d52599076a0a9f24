import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { ForwarderWithState } from '../forwarding/forwarder-service.ts';
import { access } from './access-guard.ts';
import type { ApiDependencies } from './api-dependencies.ts';
import { forwarderDraftSchema, forwarderPatchSchema, forwarderSchema, refusedRecordSchema } from './forwarder-schemas.ts';
import { wholeNumber } from './parameters.ts';
import { problems } from './route-responses.ts';

const params = z.object({ id: z.string().min(1).max(128).describe('The id of the forwarder.') });
const none = z.strictObject({});
const THREAD = ['thread.timeout', 'thread.gone', 'secrets.unreadable'] as const;
const BODY = ['request.too-large', 'request.unsupported-media-type', ...THREAD] as const;
/** It sends what all devices send, and its secrets are everybody's business. */
const READ = { permission: 'forwarders:read', everything: true } as const;
const WRITE = { permission: 'forwarders:write', everything: true } as const;
const tags = ['telemetry'];

/** Copies of live telemetry for others: webhooks, Kafka, MQTT brokers, InfluxDB. */
export function forwarderRoutes({ forwarders }: Pick<ApiDependencies, 'forwarders'>): FastifyPluginAsyncZod {
  return async (app) => {
    app.get(
      '/forwarders',
      {
        config: READ,
        schema: {
          operationId: 'listForwarders',
          summary: 'List who gets copies of live telemetry, and how that goes',
          tags,
          querystring: none,
          response: { 200: z.object({ items: z.array(forwarderSchema) }).describe('Ordered by id.'), ...problems(...THREAD) },
        },
      },
      async () => ({ items: (await forwarders.list()).map(jsonOf) }),
    );

    app.post(
      '/forwarders',
      {
        config: WRITE,
        schema: {
          operationId: 'addForwarder',
          summary: 'Forward live telemetry',
          description: 'Records are delivered at least once, in the order of each device, however long the target is away.',
          tags,
          body: forwarderDraftSchema,
          response: { 201: forwarderSchema, ...problems('forwarder.exists', ...BODY) },
        },
      },
      async (request, reply) => await reply.code(201).send(jsonOf(await forwarders.create(request.body, access(request).actor))),
    );

    app.get(
      '/forwarders/:id',
      {
        config: READ,
        schema: {
          operationId: 'getForwarder',
          summary: 'Show a forwarder and how it gets on',
          tags,
          params,
          querystring: none,
          response: { 200: forwarderSchema, ...problems('forwarder.not-found', ...THREAD) },
        },
      },
      async (request) => jsonOf(await forwarders.get(request.params.id)),
    );

    app.patch(
      '/forwarders/:id',
      {
        config: WRITE,
        schema: {
          operationId: 'updateForwarder',
          summary: 'Change, pause or resume a forwarder',
          description: 'It goes on where it was. One that sends to another place must be given its secrets again.',
          tags,
          params,
          body: forwarderPatchSchema,
          response: { 200: forwarderSchema, ...problems('forwarder.not-found', ...BODY) },
        },
      },
      async (request) => jsonOf(await forwarders.update(request.params.id, request.body, access(request).actor)),
    );

    app.delete(
      '/forwarders/:id',
      {
        config: WRITE,
        schema: {
          operationId: 'removeForwarder',
          summary: 'Stop forwarding, and forget where it was',
          tags,
          params,
          querystring: none,
          response: { 204: z.null().describe('Removed.'), ...problems('forwarder.not-found', ...THREAD) },
        },
      },
      async (request, reply) => {
        await forwarders.remove(request.params.id, access(request).actor);
        return await reply.code(204).send(null);
      },
    );

    app.post(
      '/forwarders/:id/test',
      {
        config: WRITE,
        schema: {
          operationId: 'testForwarder',
          summary: 'Send one record of a device named `selsyn-test`, now',
          tags,
          params,
          querystring: none,
          response: {
            200: z
              .object({ ok: z.boolean(), durationMs: z.number(), message: z.string().optional().describe('What went wrong.') })
              .describe('What came of it.'),
            ...problems('forwarder.not-found', ...THREAD),
          },
        },
      },
      async (request) => {
        const { ok, durationMs, message } = await forwarders.test(request.params.id);
        return { ok, durationMs, ...(message !== undefined && { message }) };
      },
    );

    app.post(
      '/forwarders/:id/reset',
      {
        config: WRITE,
        schema: {
          operationId: 'resetForwarder',
          summary: 'Begin again with all that the log has, or leave all of it out',
          tags,
          params,
          body: z.strictObject({ to: z.enum(['now', 'beginning']) }),
          response: { 200: forwarderSchema, ...problems('forwarder.not-found', ...BODY) },
        },
      },
      async (request) => jsonOf(await forwarders.reset(request.params.id, request.body.to, access(request).actor)),
    );

    app.get(
      '/forwarders/:id/refused',
      {
        config: READ,
        schema: {
          operationId: 'listRefusedRecords',
          summary: 'List the records that the target refused',
          tags,
          params,
          querystring: z.strictObject({
            limit: wholeNumber({ min: 1, max: 500, default: 100 }).describe('Records in a page.'),
            after: wholeNumber({ min: 0, max: 999_999_999_999_999, default: 0 }).describe(
              'The `number` of the last one of the page before.',
            ),
          }),
          response: {
            200: z.object({ items: z.array(refusedRecordSchema) }).describe('The oldest first.'),
            ...problems('forwarder.not-found', ...THREAD),
          },
        },
      },
      async (request) => {
        const { limit, after } = request.query;
        const records = await forwarders.refused(request.params.id, after, limit);
        return {
          items: records.map(({ payload, ...rest }) => {
            const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
            return { ...rest, payload: bytes.toString('utf8'), payloadBase64: bytes.toString('base64') };
          }),
        };
      },
    );

    app.post(
      '/forwarders/:id/refused/resend',
      {
        config: WRITE,
        schema: {
          operationId: 'resendRefusedRecords',
          summary: 'Send the refused records again',
          description: 'For at most 20 s. What is refused again stays.',
          tags,
          params,
          querystring: none,
          response: {
            200: z.object({ sent: z.number(), left: z.number() }).describe('How many there were.'),
            ...problems('forwarder.not-found', ...THREAD),
          },
        },
      },
      async (request) => await forwarders.resend(request.params.id, access(request).actor),
    );

    app.delete(
      '/forwarders/:id/refused',
      {
        config: WRITE,
        schema: {
          operationId: 'discardRefusedRecords',
          summary: 'Give up the refused records',
          tags,
          params,
          querystring: none,
          response: {
            200: z.object({ discarded: z.number() }).describe('How many there were.'),
            ...problems('forwarder.not-found', ...THREAD),
          },
        },
      },
      async (request) => await forwarders.discard(request.params.id, access(request).actor),
    );
  };
}

function jsonOf({ description, state, ...forwarder }: ForwarderWithState): z.input<typeof forwarderSchema> {
  const { id: _, ...shown } = state ?? { id: '' };
  return {
    ...forwarder,
    ...(description !== undefined && { description }),
    target: structuredClone(forwarder.target) as z.input<typeof forwarderSchema>['target'],
    filter: structuredClone(forwarder.filter) as z.input<typeof forwarderSchema>['filter'],
    secretNames: [...forwarder.secretNames],
    ...(state !== undefined && { state: shown as z.input<typeof forwarderSchema>['state'] }),
  };
}
