import { SelsynError } from '../../kernel/errors.ts';
import { parseDeviceId } from '../../kernel/device-id.ts';
import type { ShadowPatch } from '../../shadows/shadow-document.ts';
import { documentDelta, effectiveDesired } from '../../shadows/shadow-view.ts';
import { isShadowName } from '../../shadows/shadow-topics.ts';
import type { NamedShadow } from '../../shadows/shadows-of-each.ts';
import type { ShadowEvent } from '../../state/state-events.ts';
import { withFaultPath } from '../shadow-fault-path.ts';
import { shadowToJson } from '../shadow-json.ts';
import type { DeviceRef } from './devices.ts';
import { absent, INNER_LIST, MUTATION_COST, sizeOf } from './paging.ts';
import { askedDevices, shownAnew, watchedArguments } from './watching.ts';
import type { Builder } from './schema-builder.ts';

/** Shadows of devices, and changing them. */
export function addShadows(builder: Builder, { device }: { readonly device: DeviceRef }): void {
  const shadow = builder.objectRef<NamedShadow>('Shadow').implement({
    description: 'What a device is to be, and what it says it is.',
    fields: (t) => ({
      name: t.string({
        nullable: true,
        description: 'Null: the classic shadow, which has no name.',
        resolve: (each) => (each.shadow === '' ? null : each.shadow),
      }),
      version: t.int({ resolve: ({ document }) => document.version }),
      desired: t.field({
        type: 'JSON',
        description: 'What was asked of this device itself.',
        resolve: ({ document }) => document.desired ?? {},
      }),
      inherited: t.field({
        type: 'JSON',
        nullable: true,
        description: 'What its groups and its type ask, where nothing else was asked of itself.',
        resolve: ({ document }) => document.inherited,
      }),
      effective: t.field({
        type: 'JSON',
        description: 'What the device is to be: `inherited` with `desired` over it.',
        resolve: ({ document }) => effectiveDesired(document) ?? {},
      }),
      reported: t.field({
        type: 'JSON',
        description: 'What the device said it is.',
        resolve: ({ document }) => document.reported ?? {},
      }),
      delta: t.field({
        type: 'JSON',
        nullable: true,
        description: 'What of `effective` the device has not reported so. Null: nothing.',
        resolve: ({ document }) => documentDelta(document),
      }),
      metadata: t.field({
        type: 'JSON',
        description: 'When each value was written: the same trees, with `{atMs, version}` for each value.',
        resolve: (each) => shadowToJson(each.shadow, each.document).metadata,
      }),
      createdAt: t.field({ type: 'Timestamp', resolve: ({ document }) => document.createdAtMs }),
      updatedAt: t.field({ type: 'Timestamp', resolve: ({ document }) => document.updatedAtMs }),
    }),
  });

  builder.objectField(device, 'shadow', (t) =>
    t.field({
      type: shadow,
      nullable: true,
      description: 'Null: there is none of this name, or the caller may not see it.',
      args: { name: t.arg.string({ description: 'Of the classic one: none.' }) },
      resolve: async ({ id, group }, { name }, { selsyn: context }) => {
        if (!context.may('shadows:read', group)) return null;
        const key = { device: id, shadow: name ?? '' };
        const document = await context.loaders.shadow.load(key);
        return document === undefined ? null : { shadow: key.shadow, document };
      },
    }),
  );

  builder.objectField(device, 'shadows', (t) =>
    t.field({
      type: [shadow],
      nullable: true,
      description: 'By name, the classic one first. Null: the caller may not see them.',
      args: { first: t.arg.int({ description: `1 to ${INNER_LIST.max}; ${INNER_LIST.default} where it is not given.` }) },
      extensions: { defaultFirst: INNER_LIST.default },
      resolve: async ({ id, group }, { first }, { selsyn: context }) => {
        if (!context.may('shadows:read', group)) return null;
        return [...(await context.loaders.shadows.load({ device: id, first: sizeOf(first, INNER_LIST) }))];
      },
    }),
  );

  builder.mutationField('updateShadow', (t) =>
    t.field({
      type: shadow,
      nullable: true,
      description:
        'Merges into a shadow (RFC 7396: null takes away), which is made where it is not there. The device is sent the difference.',
      args: {
        device: t.arg.id({ required: true }),
        name: t.arg.string({ description: 'Of the classic one: none.' }),
        desired: t.arg({ type: 'JSON', description: 'An object; null takes all of it away. Absent: stays.' }),
        reported: t.arg({ type: 'JSON', description: 'As if the device had said so.' }),
        expectedVersion: t.arg.int({ description: 'Only if the shadow has this version; 0: only if there never was one.' }),
      },
      extensions: { cost: MUTATION_COST },
      resolve: async (_, { device: id, name, expectedVersion, ...sections }, { selsyn: context }): Promise<NamedShadow> => {
        const scope = context.scope('shadows:write');
        const key = { device: parseDeviceId(id), shadow: name ?? '' };
        if (key.shadow !== '' && !isShadowName(key.shadow)) throw invalid('name', 'is 1 to 64 of $ A-Z a-z 0-9 : _ -');
        const patch = patchOf(sections);
        const { devices, state } = context.services;
        await devices.ensureKnown(key.device, scope);
        const document = await withFaultPath(
          patch,
          async () =>
            await state.calls.call('updateShadow', {
              ...key,
              patch,
              actor: context.access.actor,
              expectedVersion: absent(expectedVersion),
            }),
        );
        return { shadow: key.shadow, document };
      },
    }),
  );

  const change = builder.objectRef<ShadowEvent>('ShadowChange').implement({
    description: 'A shadow has changed.',
    fields: (t) => ({
      device: t.exposeID('device'),
      name: t.string({
        nullable: true,
        description: 'Null: the classic shadow.',
        resolve: (event) => (event.shadow === '' ? null : event.shadow),
      }),
      version: t.exposeInt('version'),
      deleted: t.boolean({ resolve: (event) => event.change === 'deleted' }),
      documents: t.field({
        type: 'JSON',
        nullable: true,
        description:
          '`{previous, current}`, each with `state`, `metadata` and `version`, as devices get it on `update/documents`.',
        resolve: ({ documents }) => (documents === undefined ? null : (JSON.parse(documents) as unknown)),
      }),
      shadow: t.field({
        type: shadow,
        nullable: true,
        description: 'As it is now, which may be later than this change. Null: it was removed.',
        resolve: async ({ device: id, shadow: name }, _, { selsyn: { loaders } }) => {
          const document = await loaders.shadow.load({ device: id, shadow: name });
          return document === undefined ? null : { shadow: name, document };
        },
      }),
    }),
  });

  builder.subscriptionField('shadowChanged', (t) =>
    t.field({
      type: change,
      description: 'Changes of shadows of devices that all of the arguments hold for.',
      args: {
        ...watchedArguments(t),
        name: t.arg.string({ description: 'Only shadows of this name; empty: only classic ones.' }),
      },
      extensions: { cost: 10 },
      subscribe: async (_, { name, ...asked }, { selsyn: context }) =>
        await context.subscriptions.ofState(context, askedDevices(asked), {
          permission: 'shadows:read',
          isWanted: (event): event is ShadowEvent =>
            event.kind === 'shadow' && (name === null || name === undefined || event.shadow === name),
        }),
      resolve: (item, _, { selsyn: context }) => shownAnew(item, context),
    }),
  );
}

/** @throws SelsynError `request.invalid` */
function patchOf({ desired, reported }: { readonly desired?: unknown; readonly reported?: unknown }): ShadowPatch {
  return {
    ...(desired !== undefined && { desired: sectionOf('desired', desired) }),
    ...(reported !== undefined && { reported: sectionOf('reported', reported) }),
  };
}

/** What came as JSON is JSON: only that it is an object has to be seen. */
function sectionOf(field: string, value: unknown): Exclude<ShadowPatch['desired'], undefined> {
  if (value === null || (typeof value === 'object' && !Array.isArray(value))) return value as ShadowPatch['desired'] & object;
  throw invalid(field, 'must be an object or null');
}

function invalid(field: string, message: string): SelsynError {
  return new SelsynError('request.invalid', `${field}: ${message}`, { details: { field } });
}
