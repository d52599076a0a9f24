import type { AskedDevices } from '../wanted-devices.ts';
import { MAX_WATCHED } from '../wanted-devices.ts';
import { valueOf, type StreamItem } from './bounded-stream.ts';
import type { GraphqlContext } from './graphql-context.ts';
import { absent } from './paging.ts';
import type { SubscriptionFields } from './schema-builder.ts';

/** The arguments by which subscriptions name devices. */
export function watchedArguments({ arg }: SubscriptionFields) {
  return {
    devices: arg.idList({ description: `At most ${MAX_WATCHED} ids.` }),
    group: arg.string({ description: 'Only devices in this group or below.' }),
    fleet: arg.id({ description: 'Only members of this fleet, as they are now: within some seconds.' }),
    filter: arg.string({ description: 'Text of the filter language.' }),
  };
}

export function askedDevices(args: {
  readonly devices?: readonly string[] | null | undefined;
  readonly group?: string | null | undefined;
  readonly fleet?: string | null | undefined;
  readonly filter?: string | null | undefined;
}): AskedDevices {
  return {
    devices: absent(args.devices),
    group: absent(args.group),
    fleet: absent(args.fleet),
    filter: absent(args.filter),
  };
}

/** The value of an item; what was loaded for those before it is not that of now. @throws SelsynError its fault */
export function shownAnew<T>(item: StreamItem<T>, context: GraphqlContext): T {
  context.forget();
  return valueOf(item);
}
