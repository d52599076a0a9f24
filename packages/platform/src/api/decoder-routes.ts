import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { BUILT_IN_DECODERS, type DecoderDefinition } from '../payloads/decoder-definition.ts';
import type { Trial } from '../payloads/decoder-trial.ts';
import { access } from './access-guard.ts';
import type { ApiDependencies } from './api-dependencies.ts';
import {
  compressionSchema,
  decoderDraftSchema,
  decoderSchema,
  formatSchema,
  trialBodySchema,
  trialSchema,
} from './decoder-schemas.ts';
import { invalidRequest } from './problem.ts';
import { problems } from './route-responses.ts';

const params = z.object({ name: z.string().min(1).max(64).describe('The name of the decoder.') });
const BODY = ['request.too-large', 'request.unsupported-media-type', 'decoder.busy'] as const;

/** What reads payloads. Like device types they belong to all groups, so that only those change them who may at the root. */
export function decoderRoutes({ decoders, trials }: Pick<ApiDependencies, 'decoders' | 'trials'>): FastifyPluginAsyncZod {
  return async (app) => {
    app.get(
      '/decoders',
      {
        config: { permission: 'types:read' },
        schema: {
          operationId: 'listDecoders',
          summary: 'List decoders',
          tags: ['telemetry'],
          querystring: z.strictObject({}),
          response: {
            200: z.object({ items: z.array(decoderSchema) }).describe('Those that are built in, then the others by name.'),
            ...problems(),
          },
        },
      },
      async () => ({ items: [...BUILT_IN, ...(await decoders.list()).map(shown)] }),
    );

    app.post(
      '/decoders',
      {
        config: { permission: 'types:write', everything: true },
        schema: {
          operationId: 'addDecoder',
          summary: 'Declare a decoder',
          tags: ['telemetry'],
          body: decoderDraftSchema,
          response: { 201: decoderSchema, ...problems('decoder.exists', 'script.invalid', 'script.over-limit', ...BODY) },
        },
      },
      async (request, reply) => {
        const decoder = await decoders.create(request.body, access(request).actor);
        return await reply
          .code(201)
          .header('Location', `/api/v1/decoders/${encodeURIComponent(decoder.name)}`)
          .send(shown(decoder));
      },
    );

    app.get(
      '/decoders/:name',
      {
        config: { permission: 'types:read' },
        schema: {
          operationId: 'getDecoder',
          summary: 'Show a decoder',
          tags: ['telemetry'],
          params,
          querystring: z.strictObject({}),
          response: { 200: decoderSchema, ...problems('decoder.not-found') },
        },
      },
      async (request) => {
        const { name } = request.params;
        return BUILT_IN.find((decoder) => decoder.name === name) ?? shown(await decoders.get(name));
      },
    );

    app.patch(
      '/decoders/:name',
      {
        config: { permission: 'types:write', everything: true },
        schema: {
          operationId: 'updateDecoder',
          summary: 'Change a decoder',
          description:
            'Messages that are read from now on are read by it: all that are sent after the answer, and those before it that were acknowledged and are not read yet. What is stored stays as it is.',
          tags: ['telemetry'],
          params,
          body: decoderDraftSchema.omit({ name: true }).partial().describe('What is absent stays.'),
          response: { 200: decoderSchema, ...problems('decoder.not-found', 'script.invalid', 'script.over-limit', ...BODY) },
        },
      },
      async (request) => shown(await decoders.update(request.params.name, request.body, access(request).actor)),
    );

    app.delete(
      '/decoders/:name',
      {
        config: { permission: 'types:write', everything: true },
        schema: {
          operationId: 'removeDecoder',
          summary: 'Remove a decoder',
          tags: ['telemetry'],
          params,
          querystring: z.strictObject({}),
          response: { 204: z.null().describe('Removed.'), ...problems('decoder.not-found', 'decoder.in-use') },
        },
      },
      async (request, reply) => {
        await decoders.remove(request.params.name, access(request).actor);
        return await reply.code(204).send(null);
      },
    );

    app.post(
      '/decoders/:name/test',
      {
        config: { permission: 'types:read' },
        schema: {
          operationId: 'testDecoder',
          summary: 'See what a decoder makes of a message',
          description: 'Nothing is stored.',
          tags: ['telemetry'],
          params,
          body: trialBodySchema,
          response: { 200: trialSchema, ...problems('decoder.not-found', 'device-type.not-found', ...BODY) },
        },
      },
      async (request) => {
        const { type, ...body } = request.body;
        const trial = await trials.ofDecoder(request.params.name, payloadOf(body), type);
        return answerOf(trial);
      },
    );

    app.post(
      '/decoders/test',
      {
        config: { permission: 'types:write', everything: true },
        schema: {
          operationId: 'testDecoderDraft',
          summary: 'See what a decoder would make of a message before it is declared',
          description: 'Nothing is stored.',
          tags: ['telemetry'],
          body: trialBodySchema.extend({ format: formatSchema, compression: compressionSchema.optional() }),
          response: { 200: trialSchema, ...problems('device-type.not-found', ...BODY) },
        },
      },
      async (request) => {
        const { type, format, compression = 'none', ...body } = request.body;
        const trial = await trials.ofDraft({ format, compression }, payloadOf(body), type);
        return answerOf(trial);
      },
    );

    app.post(
      '/device-types/:name/decode',
      {
        config: { permission: 'types:read' },
        schema: {
          operationId: 'decodeAsType',
          summary: 'See what a message of a device of this type becomes',
          description: 'Read by the codec of the type, with its units and ranges. Nothing is stored.',
          tags: ['telemetry'],
          params: z.object({ name: z.string().min(1).max(128).describe('The name of the device type.') }),
          body: trialBodySchema.omit({ type: true }),
          response: { 200: trialSchema, ...problems('device-type.not-found', ...BODY) },
        },
      },
      async (request) => {
        const trial = await trials.ofType(request.params.name, payloadOf(request.body));
        return answerOf(trial);
      },
    );
  };
}

const BUILT_IN = [...BUILT_IN_DECODERS].map(([name, { description, format }]) => ({
  name,
  description,
  builtIn: true,
  format: mutable(format),
  compression: 'auto' as const,
}));

function shown(decoder: DecoderDefinition) {
  return { ...decoder, builtIn: false, format: mutable(decoder.format) };
}

function answerOf(trial: Trial) {
  return { ok: trial.error === undefined, ...trial, points: [...trial.points], unitsKept: [...trial.unitsKept] };
}

/** The schemas of answers want arrays that could be changed. */
function mutable(format: DecoderDefinition['format']): z.output<typeof formatSchema> {
  return structuredClone(format) as z.output<typeof formatSchema>;
}

function payloadOf(body: {
  readonly payload?: string | undefined;
  readonly payloadBase64?: string | undefined;
  readonly payloadHex?: string | undefined;
}): Uint8Array {
  // prettier-ignore
  const { payload, payloadBase64, payloadHex } = body;
  const given = [payload, payloadBase64, payloadHex].filter((each) => each !== undefined);
  if (given.length !== 1) {
    throw invalidRequest([{ in: 'body', field: 'payload', message: 'give one of payload, payloadBase64 and payloadHex' }]);
  }
  if (payload !== undefined) return Buffer.from(payload, 'utf8');
  if (payloadHex !== undefined) return Buffer.from(payloadHex.replaceAll(/\s/g, ''), 'hex');
  return Buffer.from(payloadBase64 ?? '', 'base64');
}
