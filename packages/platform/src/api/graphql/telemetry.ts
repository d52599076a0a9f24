import type { LiveUpdate } from '../../telemetry/telemetry-queries.ts';
import type { PointRef } from './devices.ts';
import { absent } from './paging.ts';
import type { Builder } from './schema-builder.ts';
import { shownAnew } from './watching.ts';

/** New points as they come. */
export function addTelemetry(builder: Builder, { point }: { readonly point: PointRef }): void {
  const update = builder.objectRef<LiveUpdate>('TelemetryUpdate').implement({
    description: 'New points of a device: at most ten updates a second for each.',
    fields: (t) => ({
      device: t.exposeID('device'),
      values: t.field({
        type: [point],
        description: 'The newest of each metric that changed.',
        resolve: ({ values }) => [...values],
      }),
    }),
  });

  builder.subscriptionField('telemetry', (t) =>
    t.field({
      type: update,
      description: 'New points of the devices that are named, or of all that the caller sees.',
      args: { devices: t.arg.idList() },
      extensions: { cost: 10 },
      subscribe: (_, { devices }, { selsyn: context }) => context.subscriptions.ofTelemetry(context, absent(devices)),
      resolve: (item, _, { selsyn: context }) => shownAnew(item, context),
    }),
  );
}
