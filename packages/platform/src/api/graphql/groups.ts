import { isSelsynError } from '../../kernel/errors.ts';
import { ROOT_GROUP } from '../../registry/group-path.ts';
import { membersOf, type Fleet } from '../../registry/fleet-store.ts';
import type { Group, GroupPage } from '../../registry/group-store.ts';
import { absent, ROOT_LIST, sizeOf } from './paging.ts';
import type { Builder } from './schema-builder.ts';

/** The group tree and the fleets. */
export function addGroups(builder: Builder): void {
  const group = builder.objectRef<Group>('Group').implement({
    description: 'A node of the group tree.',
    fields: (t) => ({
      path: t.exposeID('path'),
      devices: t.exposeInt('devices', { description: 'In the group itself.' }),
      devicesBelow: t.exposeInt('devicesBelow', { description: 'In the group and everywhere below it.' }),
      groups: t.exposeInt('groups', { description: 'Groups right below it.' }),
      createdAt: t.expose('createdAtMs', { type: 'Timestamp' }),
    }),
  });

  const groupPage = builder.objectRef<GroupPage>('GroupPage').implement({
    description: 'A page of groups, by path.',
    fields: (t) => ({
      items: t.field({ type: [group], resolve: ({ items }) => [...items] }),
      cursor: t.exposeString('cursor', { nullable: true, description: 'For `after`; null: there are no more.' }),
    }),
  });

  const fleet = builder.objectRef<Fleet>('Fleet').implement({
    description: 'A saved filter: its members are whatever devices it holds for.',
    fields: (t) => ({
      id: t.exposeID('id'),
      name: t.exposeString('name'),
      group: t.exposeString('group', { description: 'Only devices in this group or below are members.' }),
      filter: t.exposeString('filter'),
      createdAt: t.expose('createdAtMs', { type: 'Timestamp' }),
      updatedAt: t.expose('updatedAtMs', { type: 'Timestamp' }),
      devices: t.int({
        description: 'Members now that the caller sees.',
        extensions: { cost: 10 },
        resolve: async (each, _, { selsyn: context }) =>
          await context.services.devices.count({ ...membersOf(each), scope: context.scope('devices:read') }),
      }),
    }),
  });

  builder.queryField('groups', (t) =>
    t.field({
      type: groupPage,
      nullable: true,
      description: 'The groups right below one. Who may see only nodes further below gets those.',
      args: {
        parent: t.arg.string({ defaultValue: ROOT_GROUP }),
        first: t.arg.int({ description: `1 to ${ROOT_LIST.max}; ${ROOT_LIST.default} where it is not given.` }),
        after: t.arg.string(),
      },
      extensions: { defaultFirst: ROOT_LIST.default, cost: 1 },
      resolve: async (_, { parent, first, after }, { selsyn: context }) =>
        await context.services.groups.children({
          of: parent ?? ROOT_GROUP,
          scope: context.scope('groups:read'),
          limit: sizeOf(first, ROOT_LIST),
          cursor: absent(after),
        }),
    }),
  );

  builder.queryField('fleets', (t) =>
    t.field({
      type: [fleet],
      nullable: true,
      description: 'By id.',
      // There are a thousand at the most; whoever wants members of each pays for it.
      extensions: { defaultFirst: 100 },
      resolve: async (_, _args, { selsyn: context }) => [...(await context.services.fleets.list(context.scope('fleets:read')))],
    }),
  );

  builder.queryField('fleet', (t) =>
    t.field({
      type: fleet,
      nullable: true,
      description: 'Null: there is none.',
      args: { id: t.arg.id({ required: true }) },
      resolve: async (_, { id }, { selsyn: context }) => {
        try {
          return await context.services.fleets.get(id, context.scope('fleets:read'));
        } catch (error) {
          if (isSelsynError(error, 'fleet.not-found')) return undefined;
          throw error;
        }
      },
    }),
  );
}
