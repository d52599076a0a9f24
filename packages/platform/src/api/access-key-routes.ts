import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { AccessKey, AccessKeyDraft } from '../people/access-keys.ts';
import { MAX_GRANTS } from '../people/grant-store.ts';
import { access } from './access-guard.ts';
import type { ApiDependencies } from './api-dependencies.ts';
import { cursorParameter, wholeNumber } from './parameters.ts';
import { groupField, roleAtSchema, roleField } from './people-schemas.ts';
import { invalidRequest } from './problem.ts';
import { problems } from './route-responses.ts';

const keySchema = z
  .object({
    id: z.string().describe('What requests name it by; no secret.'),
    name: z.string(),
    group: z.string().describe('The node whose administrators see and remove it; for a device the one that it stands in.'),
    device: z.string().optional().describe('Whose key it is: it may do what the policies of the device say.'),
    grants: z.array(z.object({ role: z.string(), group: z.string() })).describe('Empty for the key of a device.'),
    disabled: z.boolean().describe('It is refused until it is enabled again.'),
    createdAtMs: z.number(),
    expiresAtMs: z.number().optional().describe('From then on it is refused. Absent: never.'),
    usedAtMs: z.number().optional().describe('Last used, to the minute.'),
    usedService: z.string().optional().describe('For what, as the request said: `iotdata`, `iot-jobs-data`.'),
  })
  .describe('An access key.');

const draftSchema = z.strictObject({
  name: z.string().min(1).max(200),
  grants: z.array(roleAtSchema).min(1).max(MAX_GRANTS).optional().describe('What it may do. Instead of `device`.'),
  device: z.string().min(1).max(128).optional().describe('The device that it is for. Instead of `grants`.'),
  group: groupField.optional().describe('With `grants`. Absent: their node where that is one, else the root.'),
  expiresAtMs: z.number().int().positive().optional(),
});

const params = z.object({ id: z.string().min(1).max(64).describe('The id of the key.') });

/** Keys by which programs and devices sign requests as AWS has them. Those outside of the caller's own nodes look not there. */
export function accessKeyRoutes({ accessKeys }: Pick<ApiDependencies, 'accessKeys'>): FastifyPluginAsyncZod {
  return async (app) => {
    app.post(
      '/access-keys',
      {
        config: { permission: 'keys:write' },
        schema: {
          operationId: 'addAccessKey',
          summary: 'Make an access key',
          description:
            'For clients of the AWS interface, which sign their requests (Signature V4). Nobody can give a key what they do not have themselves at that node; for the key of a device they need `devices:write` there.',
          tags: ['access'],
          body: draftSchema,
          response: {
            201: keySchema
              .extend({ secret: z.string().describe('Shown this once: it is kept sealed.') })
              .describe('The new key.'),
            ...problems(
              'role.not-found',
              'device.not-found',
              'request.too-large',
              'request.unsupported-media-type',
              'access.cross-site',
            ),
          },
        },
      },
      async (request, reply) => {
        const { name, expiresAtMs } = request.body;
        const made = await accessKeys.create({ name, expiresAtMs, holder: holderOf(request.body) }, access(request).caller);
        return await reply.code(201).send({ ...shown(made), secret: made.secret });
      },
    );

    app.get(
      '/access-keys',
      {
        config: { permission: 'keys:read' },
        schema: {
          operationId: 'listAccessKeys',
          summary: 'List the access keys',
          tags: ['access'],
          querystring: z.strictObject({
            device: z.string().max(128).optional().describe('Only those of this device.'),
            limit: wholeNumber({ min: 1, max: 1000, default: 100 }).describe('Keys in a page.'),
            cursor: cursorParameter,
          }),
          response: {
            200: z
              .object({ items: z.array(keySchema), cursor: z.string().optional().describe('Present when there are more.') })
              .describe('Oldest first.'),
            ...problems(),
          },
        },
      },
      async (request) => {
        const { items, cursor } = await accessKeys.list({ ...request.query, scope: access(request).scope });
        return { items: items.map(shown), ...(cursor !== undefined && { cursor }) };
      },
    );

    app.patch(
      '/access-keys/:id',
      {
        config: { permission: 'keys:write' },
        schema: {
          operationId: 'changeAccessKey',
          summary: 'Disable or enable an access key',
          tags: ['access'],
          params,
          body: z.strictObject({ disabled: z.boolean() }),
          response: {
            200: keySchema,
            ...problems('access-key.not-found', 'request.too-large', 'request.unsupported-media-type', 'access.cross-site'),
          },
        },
      },
      async (request) => shown(await accessKeys.setDisabled(request.params.id, request.body.disabled, access(request).caller)),
    );

    app.delete(
      '/access-keys/:id',
      {
        config: { permission: 'keys:write' },
        schema: {
          operationId: 'removeAccessKey',
          summary: 'Take an access key back',
          tags: ['access'],
          params,
          querystring: z.strictObject({}),
          response: { 204: z.null().describe('Removed.'), ...problems('access-key.not-found', 'access.cross-site') },
        },
      },
      async (request, reply) => {
        await accessKeys.remove(request.params.id, access(request).caller);
        return reply.code(204).send(null);
      },
    );

    app.post(
      '/access-keys/:id/grants',
      {
        config: { permission: 'keys:write' },
        schema: {
          operationId: 'grantAccessKeyRole',
          summary: 'Give an access key a role at a node',
          tags: ['access'],
          params,
          body: roleAtSchema,
          response: {
            204: z.null().describe('Given.'),
            ...problems(
              'access-key.not-found',
              'role.not-found',
              'request.too-large',
              'request.unsupported-media-type',
              'access.cross-site',
            ),
          },
        },
      },
      async (request, reply) => {
        await accessKeys.grant(request.params.id, request.body, access(request).caller);
        return reply.code(204).send(null);
      },
    );

    app.delete(
      '/access-keys/:id/grants',
      {
        config: { permission: 'keys:write' },
        schema: {
          operationId: 'revokeAccessKeyRole',
          summary: 'Take a role at a node back from an access key',
          tags: ['access'],
          params,
          querystring: z.strictObject({ role: roleField, group: groupField }),
          response: {
            204: z.null().describe('Taken back.'),
            ...problems('access-key.not-found', 'grant.not-found', 'access.cross-site'),
          },
        },
      },
      async (request, reply) => {
        await accessKeys.revoke(request.params.id, request.query, access(request).caller);
        return reply.code(204).send(null);
      },
    );
  };
}

/** @throws SelsynError `request.invalid` */
function holderOf({ grants, device, group }: z.output<typeof draftSchema>): AccessKeyDraft['holder'] {
  if ((grants === undefined) === (device === undefined)) {
    throw invalidRequest([{ in: 'body', field: 'grants', message: 'name the roles of the key here, or its "device"' }]);
  }
  if (device === undefined) return { grants: grants ?? [], group };
  if (group === undefined) return { device };
  throw invalidRequest([{ in: 'body', field: 'group', message: 'the key of a device is looked after where the device is' }]);
}

function shown(key: AccessKey): z.output<typeof keySchema> {
  const { id, name, group, device, grants, disabled, createdAtMs, expiresAtMs, usedAtMs, usedService } = key;
  return {
    id,
    name,
    group,
    ...(device !== undefined && { device }),
    grants: [...grants],
    disabled,
    createdAtMs,
    ...(expiresAtMs !== undefined && { expiresAtMs }),
    ...(usedAtMs !== undefined && { usedAtMs }),
    ...(usedService !== undefined && { usedService }),
  };
}
