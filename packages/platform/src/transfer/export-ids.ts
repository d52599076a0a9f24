import type { DeviceId } from '../kernel/device-id.ts';
import type { DeviceFilter } from '../registry/device-search.ts';
import type { DeviceStore } from '../registry/device-store.ts';

const PAGE = 1_000;

/**
 * The ids of all devices that match, in byte order, behind `after`.
 *
 * They are gathered before the first is given: a list by a filter comes in another order. That is some 100 bytes a device.
 *
 * @throws SelsynError `request.invalid` for a filter that is none
 */
export async function sortedIds(
  devices: Pick<DeviceStore, 'list'>,
  query: DeviceFilter,
  from: DeviceId | undefined,
): Promise<readonly DeviceId[]> {
  const ids: DeviceId[] = [];
  let cursor: string | undefined;
  do {
    const page = await devices.list({ ...query, limit: PAGE, cursor });
    for (const { id } of page.items) if (from === undefined || id >= from) ids.push(id);
    cursor = page.cursor;
    // A page takes some ms of the thread; others come in between.
    await new Promise((resolve) => setImmediate(resolve));
  } while (cursor !== undefined);
  return ids.sort();
}
