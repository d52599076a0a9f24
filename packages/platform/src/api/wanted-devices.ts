import { parseDeviceId } from '../kernel/device-id.ts';
import { SelsynError } from '../kernel/errors.ts';
import { scopeOf, type Caller } from '../people/caller.ts';
import { membersOf } from '../registry/fleet-store.ts';
import { parseFilter } from '../registry/filter/parse-filter.ts';
import { isWithin, parseGroupPath } from '../registry/group-path.ts';
import type { ApiDependencies } from './api-dependencies.ts';
import type { WantedDevices } from './state-viewing.ts';

/** Devices that one stream can name. */
export const MAX_WATCHED = 1000;

/** What a request may say of devices; all that is said holds for each. */
export interface AskedDevices {
  readonly devices?: readonly string[] | undefined;
  readonly group?: string | undefined;
  readonly fleet?: string | undefined;
  readonly filter?: string | undefined;
}

/**
 * Devices that somebody asks for, with a fleet as what it stands for.
 *
 * @throws SelsynError `device.invalid-id`, `fleet.not-found`, also for one that the caller does not see; `request.invalid`
 */
export async function wantedDevices(
  { fleets }: Pick<ApiDependencies, 'fleets'>,
  asked: AskedDevices,
  caller: Caller,
): Promise<WantedDevices> {
  if (asked.devices !== undefined && asked.devices.length > MAX_WATCHED) {
    throw new SelsynError('request.invalid', `at most ${MAX_WATCHED} devices can be named`, { details: { field: 'devices' } });
  }
  const devices = asked.devices === undefined ? undefined : new Set(asked.devices.map(parseDeviceId));
  const group = asked.group === undefined ? undefined : parseGroupPath(asked.group);
  if (asked.filter !== undefined) parseFilter(asked.filter);
  if (asked.fleet === undefined) return { devices, group, filter: asked.filter };
  const fleet = membersOf(await fleets.get(asked.fleet, scopeOf(caller, 'fleets:read')));
  const filters = [asked.filter, fleet.filter].filter((text) => text !== undefined);
  return { devices, group: deeper(group, fleet.group), filter: filters.map((text) => `(${text})`).join(' and ') };
}

/** Of two groups the one that is in the other. @throws SelsynError `request.invalid` where neither is */
function deeper(asked: string | undefined, ofFleet: string | undefined): string | undefined {
  if (asked === undefined || ofFleet === undefined) return asked ?? ofFleet;
  if (isWithin(asked, ofFleet)) return asked;
  if (isWithin(ofFleet, asked)) return ofFleet;
  throw new SelsynError('request.invalid', `the fleet has no members in ${asked}: it is of ${ofFleet}`, {
    details: { field: 'group' },
  });
}
