import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { SelsynError } from '../kernel/errors.ts';
import { MAX_GROUP_PATH, parentOf, ROOT_GROUP } from '../registry/group-path.ts';
import { noGroup, type Group } from '../registry/group-store.ts';
import { scopeIncludes, type Scope } from '../registry/scope.ts';
import { access } from './access-guard.ts';
import type { ApiDependencies } from './api-dependencies.ts';
import { cursorParameter, wholeNumber } from './parameters.ts';
import { groupField } from './people-schemas.ts';
import { problems } from './route-responses.ts';

const groupSchema = z
  .object({
    path: z.string(),
    createdAtMs: z.number(),
    devices: z.number().describe('In the group itself.'),
    devicesBelow: z.number().describe('In the group and everywhere below it.'),
    groups: z.number().describe('Groups right below it.'),
  })
  .describe('A node of the group tree.');

const params = z.object({
  path: z.string().min(1).max(MAX_GROUP_PATH).describe('The path of the group, percent-encoded: `%2Facme%2Fbuilding-42`.'),
});

const listSchema = z.strictObject({
  parent: groupField.default(ROOT_GROUP).describe('The node whose children are listed.'),
  limit: wholeNumber({ min: 1, max: 1000, default: 100 }).describe('Groups in a page.'),
  cursor: cursorParameter,
});

const BODY = ['request.too-large', 'request.unsupported-media-type'] as const;

/** The group tree. What is outside of the caller's own nodes looks not there. */
export function groupRoutes({ groups, accessChanged }: Pick<ApiDependencies, 'groups' | 'accessChanged'>): FastifyPluginAsyncZod {
  return async (app) => {
    app.get(
      '/groups',
      {
        config: { permission: 'groups:read' },
        schema: {
          operationId: 'listGroups',
          summary: 'List the groups right below one',
          description: 'Who may see only nodes further below gets those.',
          tags: ['devices'],
          querystring: listSchema,
          response: {
            200: z
              .object({ items: z.array(groupSchema), cursor: z.string().optional().describe('Present when there are more.') })
              .describe('Ordered by path.'),
            ...problems('group.not-found'),
          },
        },
      },
      async (request) => {
        const { parent, limit, cursor } = request.query;
        const page = await groups.children({ of: parent, scope: access(request).scope, limit, cursor });
        return { ...page, items: page.items.map(shown) };
      },
    );

    app.post(
      '/groups',
      {
        config: { permission: 'groups:write' },
        schema: {
          operationId: 'addGroup',
          summary: 'Make a group',
          description: 'What is missing above it is made too.',
          tags: ['devices'],
          body: z.strictObject({ path: groupField }),
          response: { 201: groupSchema, ...problems('group.exists', ...BODY) },
        },
      },
      async (request, reply) => {
        const { actor, scope } = access(request);
        const { path } = request.body;
        allow(scope, path);
        return await reply.code(201).send(shown(await groups.create(path, actor)));
      },
    );

    app.get(
      '/groups/:path',
      {
        config: { permission: 'groups:read' },
        schema: {
          operationId: 'getGroup',
          summary: 'Show a group',
          tags: ['devices'],
          params,
          querystring: z.strictObject({}),
          response: { 200: groupSchema, ...problems('group.not-found') },
        },
      },
      async (request) => shown(await groups.get(within(access(request).scope, request.params.path))),
    );

    app.patch(
      '/groups/:path',
      {
        config: { permission: 'groups:write' },
        schema: {
          operationId: 'moveGroup',
          summary: 'Move or rename a group',
          description: 'All below it goes with it: groups, devices, and what was given to them.',
          tags: ['devices'],
          params,
          body: z.strictObject({ path: groupField.describe('Where it is from now on; what is missing above is made.') }),
          response: { 200: groupSchema, ...problems('group.not-found', 'group.exists', 'hold.active', ...BODY) },
        },
      },
      async (request) => {
        const { actor, scope } = access(request);
        const from = within(scope, request.params.path);
        // Taking it out of a node is for those who may write there.
        allow(scope, parentOf(from) ?? from);
        allow(scope, request.body.path);
        const group = await groups.move(from, request.body.path, actor);
        accessChanged('all');
        return shown(group);
      },
    );

    app.delete(
      '/groups/:path',
      {
        config: { permission: 'groups:write' },
        schema: {
          operationId: 'removeGroup',
          summary: 'Remove a group',
          tags: ['devices'],
          params,
          querystring: z.strictObject({
            force: z
              .enum(['true', 'false'])
              .default('false')
              .describe(
                '`true`: also when it is not empty. The groups below go with it, its devices then stand in the group above.',
              ),
          }),
          response: { 204: z.null().describe('Removed.'), ...problems('group.not-found', 'group.not-empty', 'hold.active') },
        },
      },
      async (request, reply) => {
        const { actor, scope } = access(request);
        const path = within(scope, request.params.path);
        allow(scope, parentOf(path) ?? path);
        await groups.remove(path, actor, { force: request.query.force === 'true' });
        accessChanged('all');
        return await reply.code(204).send(null);
      },
    );
  };
}

/** @throws SelsynError `group.not-found`, as for one that is not there */
function within(scope: Scope, path: string): string {
  if (scopeIncludes(scope, path)) return path;
  throw noGroup(path);
}

/** @throws SelsynError `access.denied` */
function allow(scope: Scope, path: string): void {
  if (scopeIncludes(scope, path)) return;
  throw new SelsynError('access.denied', `you may not change groups in ${path}`, { details: { group: path } });
}

function shown(group: Group) {
  return { ...group };
}
