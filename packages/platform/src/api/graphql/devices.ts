import { isDeviceId } from '../../kernel/device-id.ts';
import { scopeIncludes } from '../../registry/scope.ts';
import type { Connectivity } from '../../registry/connectivity-store.ts';
import type { Device } from '../../registry/device.ts';
import type { DeviceFilter } from '../../registry/device-search.ts';
import type { LatestValue } from '../../telemetry/telemetry-queries.ts';
import { wantedDevices } from '../wanted-devices.ts';
import type { GraphqlContext } from './graphql-context.ts';
import { absent, ROOT_LIST, sizeOf } from './paging.ts';
import type { Builder, Ref } from './schema-builder.ts';

/** A page of devices, and what it is a page of. */
interface DevicePage {
  readonly items: readonly Device[];
  readonly cursor?: string;
  readonly query: DeviceFilter;
}

export type DeviceRef = Ref<Device>;
export type PointRef = Ref<LatestValue>;

/** Devices with what belongs to each of them; other parts of the schema add their fields to the same type. */
export function addDevices(builder: Builder): { readonly device: DeviceRef; readonly point: PointRef } {
  const connectivity = builder.objectRef<Connectivity>('Connectivity').implement({
    description: 'Whether a device is connected.',
    fields: (t) => ({
      connected: t.exposeBoolean('connected'),
      since: t.expose('sinceMs', { type: 'Timestamp', description: 'When it came or went.' }),
      lastSeen: t.expose('lastSeenMs', { type: 'Timestamp', description: 'Of one that is connected: when it came.' }),
    }),
  });

  const point = builder.objectRef<LatestValue>('MetricValue').implement({
    description: 'A point of a metric.',
    fields: (t) => ({
      metric: t.exposeString('metric'),
      time: t.expose('timeMs', { type: 'Timestamp' }),
      value: t.expose('value', { type: 'JSON', description: 'A number, a boolean or a text.' }),
    }),
  });

  const device = builder.objectRef<Device>('Device').implement({
    description: 'A device.',
    fields: (t) => ({
      id: t.exposeID('id'),
      name: t.exposeString('name', { nullable: true }),
      type: t.exposeString('type', { nullable: true, description: 'The name of its device type.' }),
      group: t.exposeString('group', { description: 'The node of the group tree that it stands in.' }),
      attributes: t.field({ type: 'JSON', resolve: ({ attributes }) => attributes }),
      tags: t.stringList({ resolve: ({ tags }) => [...tags] }),
      createdAt: t.expose('createdAtMs', { type: 'Timestamp' }),
      updatedAt: t.expose('updatedAtMs', { type: 'Timestamp' }),
      connectivity: t.field({
        type: connectivity,
        nullable: true,
        description: 'Null: it was never connected.',
        resolve: async ({ id }, _, { selsyn: { loaders } }) => await loaders.connectivity.load(id),
      }),
      latest: t.field({
        type: [point],
        nullable: true,
        description: 'The newest point of each metric, or of those that are named. Null: the caller may not see telemetry there.',
        args: { metrics: t.arg.stringList() },
        extensions: { cost: 1 },
        resolve: async ({ id, group }, { metrics }, { selsyn: context }) => {
          if (!context.may('telemetry:read', group)) return null;
          const values = await context.loaders.latest.load(id);
          return metrics === null || metrics === undefined
            ? [...values]
            : values.filter(({ metric }) => metrics.includes(metric));
        },
      }),
    }),
  });

  const page = builder.objectRef<DevicePage>('DevicePage').implement({
    description: 'A page of devices.',
    fields: (t) => ({
      items: t.field({ type: [device], resolve: ({ items }) => [...items] }),
      cursor: t.exposeString('cursor', { nullable: true, description: 'For `after`; null: there are no more.' }),
      total: t.int({
        description: 'All that match.',
        extensions: { cost: 10 },
        resolve: async ({ query }, _, { selsyn: { services } }) => await services.devices.count(query),
      }),
    }),
  });

  builder.queryField('device', (t) =>
    t.field({
      type: device,
      nullable: true,
      description: 'Null: there is none.',
      args: { id: t.arg.id({ required: true }) },
      resolve: async (_, { id }, { selsyn: context }) => await findDevice(context, id),
    }),
  );

  builder.queryField('devices', (t) =>
    t.field({
      type: page,
      nullable: true,
      description: 'Devices that all of the arguments hold for.',
      args: {
        filter: t.arg.string({ description: 'Text of the filter language: `type = "boiler" and not connected = true`.' }),
        group: t.arg.string({ description: 'Only devices in this group or below.' }),
        fleet: t.arg.id({ description: 'Only members of this fleet.' }),
        tag: t.arg.string(),
        first: t.arg.int({ description: `1 to ${ROOT_LIST.max}; ${ROOT_LIST.default} where it is not given.` }),
        after: t.arg.string({ description: 'The cursor of the page before; the other arguments stay the same.' }),
      },
      extensions: { defaultFirst: ROOT_LIST.default, cost: 1 },
      resolve: async (_, args, { selsyn: context }): Promise<DevicePage> => {
        const scope = context.scope('devices:read');
        const asked = { filter: absent(args.filter), group: absent(args.group), fleet: absent(args.fleet) };
        const { filter, group } = await wantedDevices(context.services, asked, context.caller);
        const query = { filter, group, tag: absent(args.tag), scope };
        const limit = sizeOf(args.first, ROOT_LIST);
        return { ...(await context.services.devices.list({ ...query, limit, cursor: absent(args.after) })), query };
      },
    }),
  );

  return { device, point };
}

/** One that the caller sees; undefined: there is none. */
export async function findDevice(context: GraphqlContext, id: string): Promise<Device | undefined> {
  const scope = context.scope('devices:read');
  if (!isDeviceId(id)) return undefined;
  const device = await context.loaders.device.load(id);
  return device !== undefined && scopeIncludes(scope, device.group) ? device : undefined;
}
