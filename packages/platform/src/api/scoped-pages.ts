import { isDeviceId, type DeviceId } from '../kernel/device-id.ts';
import type { SealedText } from '../people/sealed-text.ts';
import type { DeviceStore } from '../registry/device-store.ts';
import { isEverything, scopeIncludes, type Scope } from '../registry/scope.ts';
import { invalidRequest } from './problem.ts';

/** Pages that are looked through for one answer: where nearly all is somebody else's, the client asks again. */
const MAX_PAGES = 20;

export interface Page<T> {
  readonly items: readonly T[];
  readonly cursor?: string | undefined;
}

type Groups = Pick<DeviceStore, 'groupOf'>;

/** Those of the ids that belong to devices in the scope. What is no device, or not known, is in no group but the root. */
export async function devicesWithin(devices: Groups, ids: Iterable<string>, scope: Scope): Promise<ReadonlySet<string>> {
  if (isEverything(scope)) return new Set(ids);
  const known = await devices.groupOf([...ids].filter((id): id is DeviceId => isDeviceId(id)));
  return new Set([...known].filter(([, group]) => scopeIncludes(scope, group)).map(([id]) => id));
}

/**
 * A page of a list that knows nothing of groups: only what belongs to devices in the scope is in it. It may hold fewer items
 * than were asked for although more come.
 *
 * The cursor says where the list goes on, which may be at somebody else's item: so it is sealed.
 *
 * @throws SelsynError `request.invalid` for a cursor that is none
 */
export async function scopedPage<T>(options: {
  readonly devices: Groups;
  readonly scope: Scope;
  readonly cursor: string | undefined;
  readonly sealed: SealedText;
  readonly deviceOf: (item: T) => string;
  readonly read: (cursor: string | undefined) => Promise<Page<T>>;
}): Promise<Page<T>> {
  const { devices, scope, sealed, deviceOf, read } = options;
  if (isEverything(scope)) return await read(options.cursor);
  let cursor = options.cursor === undefined ? undefined : openCursor(sealed, options.cursor);
  for (let pages = 1; ; pages++) {
    const page = await read(cursor);
    const within = await devicesWithin(devices, page.items.map(deviceOf), scope);
    const items = page.items.filter((item) => within.has(deviceOf(item)));
    cursor = page.cursor;
    if (cursor === undefined) return { items };
    if (items.length > 0 || pages === MAX_PAGES) return { items, cursor: sealed.seal(cursor) };
  }
}

function openCursor(sealed: SealedText, cursor: string): string {
  const opened = sealed.open(cursor);
  if (opened !== undefined) return opened;
  throw invalidRequest([{ in: 'query', field: 'cursor', message: 'is not one that an earlier answer gave' }]);
}
