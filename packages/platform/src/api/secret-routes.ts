import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { parseDeviceId } from '../kernel/device-id.ts';
import { MAX_SECRET_BYTES, type SecretOwner } from '../secrets/device-secrets.ts';
import type { SecretsStatus } from '../secrets/secrets.ts';
import { access, type Access } from './access-guard.ts';
import type { ApiDependencies } from './api-dependencies.ts';
import { deviceParams } from './parameters.ts';
import { problems } from './route-responses.ts';

const secretParams = deviceParams.extend({
  name: z.string().min(1).max(64).describe('The name of the secret: 1 to 64 of A-Z a-z 0-9 _ . -'),
});

const secretSchema = z
  .object({ name: z.string(), createdAtMs: z.number(), updatedAtMs: z.number() })
  .describe('A secret, without its value.');

const valueSchema = z.strictObject({ value: z.string().min(1).max(MAX_SECRET_BYTES) }).describe('The value of a secret.');

const statusSchema = z
  .object({
    masterKey: z.object({ id: z.string(), place: z.string() }).describe('Wraps the data keys.'),
    dataKeys: z
      .array(z.object({ id: z.string(), masterId: z.string(), createdAtMs: z.number(), retiredAtMs: z.number().optional() }))
      .describe('The oldest first; the one that is not retired seals.'),
    resealing: z
      .object({ done: z.number(), total: z.number(), unreadable: z.number() })
      .optional()
      .describe('While values are brought under the newest data key.'),
  })
  .describe('The keys of what is sealed.');

/** Secrets of devices, and the keys that all secrets are sealed with. */
export function secretRoutes({ secrets, devices }: Pick<ApiDependencies, 'secrets' | 'devices'>): FastifyPluginAsyncZod {
  const ownerOf = async (id: string, { scope }: Access): Promise<SecretOwner> => await devices.get(parseDeviceId(id), scope);
  return async (app) => {
    app.get(
      '/devices/:id/secrets',
      {
        config: { permission: 'devices:read' },
        schema: {
          operationId: 'listDeviceSecrets',
          summary: 'List the secrets of a device, without their values',
          tags: ['devices'],
          params: deviceParams,
          querystring: z.strictObject({}),
          response: {
            200: z.object({ items: z.array(secretSchema) }).describe('In the order of their names.'),
            ...problems('device.invalid-id', 'device.not-found'),
          },
        },
      },
      async (request) => {
        const owner = await ownerOf(request.params.id, access(request));
        return { items: [...(await secrets.devices.list(owner.id))] };
      },
    );

    app.put(
      '/devices/:id/secrets/:name',
      {
        config: { permission: 'secrets:write' },
        schema: {
          operationId: 'putDeviceSecret',
          summary: 'Set a secret of a device',
          description: 'It is kept sealed: neither the database nor a copy of it tells the value.',
          tags: ['devices'],
          params: secretParams,
          querystring: z.strictObject({}),
          body: valueSchema,
          response: {
            200: secretSchema.pick({ name: true }).describe('Changed.'),
            201: secretSchema.pick({ name: true }).describe('Added.'),
            ...problems('device.invalid-id', 'device.not-found', 'request.too-large', 'request.unsupported-media-type'),
          },
        },
      },
      async (request, reply) => {
        const { id, name } = request.params;
        const caller = access(request);
        const isNew = await secrets.devices.put(await ownerOf(id, caller), name, request.body.value, caller.actor);
        return reply.code(isNew ? 201 : 200).send({ name });
      },
    );

    app.get(
      '/devices/:id/secrets/:name',
      {
        config: { permission: 'secrets:write' },
        schema: {
          operationId: 'revealDeviceSecret',
          summary: 'Show the value of a secret',
          description: 'That it was shown, and to whom, is in the audit trail.',
          tags: ['devices'],
          params: secretParams,
          querystring: z.strictObject({}),
          response: {
            200: valueSchema,
            ...problems('device.invalid-id', 'device.not-found', 'secret.not-found', 'secrets.unreadable'),
          },
        },
      },
      async (request) => {
        const { id, name } = request.params;
        const caller = access(request);
        return { value: await secrets.devices.reveal(await ownerOf(id, caller), name, caller.actor) };
      },
    );

    app.delete(
      '/devices/:id/secrets/:name',
      {
        config: { permission: 'secrets:write' },
        schema: {
          operationId: 'removeDeviceSecret',
          summary: 'Remove a secret of a device',
          tags: ['devices'],
          params: secretParams,
          querystring: z.strictObject({}),
          response: {
            204: z.null().describe('Removed.'),
            ...problems('device.invalid-id', 'device.not-found', 'secret.not-found'),
          },
        },
      },
      async (request, reply) => {
        const { id, name } = request.params;
        const caller = access(request);
        await secrets.devices.remove(await ownerOf(id, caller), name, caller.actor);
        return reply.code(204).send(null);
      },
    );

    app.get(
      '/secrets',
      {
        config: { permission: 'server:read', everything: true },
        schema: {
          operationId: 'getSecretKeys',
          summary: 'Show the keys that secrets are sealed with, and how far a rotation is',
          tags: ['server'],
          querystring: z.strictObject({}),
          response: { 200: statusSchema, ...problems() },
        },
      },
      async () => statusToJson(secrets.status()),
    );

    app.post(
      '/secrets/rotation',
      {
        config: { permission: 'server:write', everything: true },
        schema: {
          operationId: 'rotateSecretKeys',
          summary: 'Rotate a key',
          description:
            '`data`: a new data key seals from now on, and what is sealed is brought under it in the background. ' +
            '`master`: a new master key wraps the data keys. Everything stays readable meanwhile.',
          tags: ['server'],
          body: z.strictObject({ key: z.enum(['data', 'master']).default('data') }),
          response: {
            200: statusSchema,
            ...problems('secrets.unavailable', 'request.too-large', 'request.unsupported-media-type'),
          },
        },
      },
      async (request) => {
        const { actor } = access(request);
        await (request.body.key === 'master' ? secrets.rotateMasterKey(actor) : secrets.rotateDataKey(actor));
        return statusToJson(secrets.status());
      },
    );
  };
}

function statusToJson({ masterKey, dataKeys, resealing }: SecretsStatus): z.infer<typeof statusSchema> {
  return {
    masterKey: { ...masterKey },
    dataKeys: dataKeys.map((key) => ({ ...key })),
    ...(resealing !== undefined && { resealing: { ...resealing } }),
  };
}
