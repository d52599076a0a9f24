import type { BlobStore } from '../blobs/blob-store.ts';
import { SelsynError } from '../kernel/errors.ts';
import type { CurrentObject, Manifest } from './manifest.ts';
import { objectOf } from './object-rows.ts';
import { listStored, straysAmong, type StoredKeys } from './stray-objects.ts';

/**
 * Looks whether the objects of the manifest are in the store: all of them where it is another one than before, the newest
 * else (a volume may not be mounted). And whether there are some that are newer than all that it knows, or that it takes for unfinished
 * while what they were made of has gone: it is not the manifest of this store any more, and would give their keys again, or delete them.
 *
 * @returns true where the archive has moved
 * @throws SelsynError `archive.misplaced`; `archive.unknown-objects`; `blobs.*`
 */
export async function checkPlace(manifest: Manifest, blobs: BlobStore, signal: AbortSignal): Promise<boolean> {
  const before = manifest.place;
  const stored = await listStored(blobs, signal);
  const lastId = manifest.lastId();
  const unknown = [...straysAmong(manifest, stored).filter(({ id }) => id > lastId), ...finishedSince(manifest, stored)];
  if (unknown.length > 0) {
    throw new SelsynError(
      'archive.unknown-objects',
      `objects at ${blobs.place} are not in the manifest, ${unknown.length} of them: selsyn archive rebuild takes them over`,
      { details: { place: blobs.place, objects: unknown.length, key: unknown[0]!.key } },
    );
  }
  // One that is known to be gone says nothing of the place.
  const newest = manifest
    .all("SELECT * FROM object WHERE state = 'current' AND id NOT IN (SELECT id FROM bad_object) ORDER BY id DESC LIMIT 1")
    .map(objectOf)[0];
  if (newest === undefined) {
    manifest.setPlace(blobs.place);
    return false;
  }
  if (before === blobs.place) {
    const head = await blobs.head(newest.key, { signal });
    if (head?.sizeBytes !== newest.sizeBytes) throw misplaced(blobs.place, before, newest.key, undefined);
    return false;
  }
  const missing = missingOf(manifest, stored);
  if (missing.length > 0) throw misplaced(blobs.place, before, missing[0]!.key, missing.length);
  manifest.setPlace(blobs.place);
  return true;
}

/**
 * Before objects are taken over: those of the manifest are gone for what has replaced them, not for the place being another one.
 *
 * @throws SelsynError `archive.misplaced`
 */
export function requirePlace(manifest: Manifest, place: string, stored: StoredKeys): void {
  const before = manifest.place;
  const missing = missingOf(manifest, stored);
  if (before === undefined || missing.length === 0) return;
  // A volume may not be mounted.
  if (before !== place || stored.size === 0) throw misplaced(place, before, missing[0]!.key, missing.length);
}

function missingOf(manifest: Manifest, stored: StoredKeys): readonly CurrentObject[] {
  const all = manifest.all("SELECT * FROM object WHERE state = 'current' ORDER BY id").map(objectOf);
  return all.filter(({ key, sizeBytes }) => stored.get(key)?.sizeBytes !== sizeBytes);
}

/** Objects that are to be stored as far as the manifest knows, and were: an object of their day that they replaced is not there any more. */
function finishedSince(manifest: Manifest, stored: StoredKeys): readonly CurrentObject[] {
  const bad = new Set(manifest.all('SELECT id FROM bad_object').map((row) => Number(row['id'])));
  const planned = manifest.all("SELECT * FROM object WHERE state = 'planned'").map(objectOf);
  const isGone = ({ id, key }: CurrentObject): boolean => !stored.has(key) && !bad.has(id);
  return planned.filter(
    ({ key, day, deviceType }) =>
      stored.has(key) && manifest.objectsOf(day).some((object) => object.deviceType === deviceType && isGone(object)),
  );
}

function misplaced(place: string, before: string | undefined, key: string, missing: number | undefined): SelsynError {
  return new SelsynError(
    'archive.misplaced',
    `the archive was at ${before ?? 'another place'}, and its objects are not at ${place}`,
    {
      details: { place, before, key, ...(missing === undefined ? {} : { missing }) },
    },
  );
}
