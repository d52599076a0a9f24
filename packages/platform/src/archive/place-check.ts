import type { BlobStore } from '../blobs/blob-store.ts';
import { SelsynError } from '../kernel/errors.ts';
import type { Manifest } from './manifest.ts';
import { objectOf } from './object-rows.ts';
import { findStrays } from './rebuilder.ts';

/**
 * Looks whether the objects of the manifest are in the store: all of them where it is another one than before, the newest
 * else (a volume may not be mounted). And whether there are some that are newer than all that it knows: it is not the manifest of this
 * store any more, and would give their keys again.
 *
 * @returns true where the archive has moved
 * @throws SelsynError `archive.misplaced`; `archive.unknown-objects`; `blobs.*`
 */
export async function checkPlace(manifest: Manifest, blobs: BlobStore, signal: AbortSignal): Promise<boolean> {
  const before = manifest.place;
  const { strays, keys } = await findStrays(manifest, blobs, signal);
  const lastId = manifest.lastId();
  const unknown = strays.filter(({ id }) => id > lastId);
  if (unknown.length > 0) {
    throw new SelsynError(
      'archive.unknown-objects',
      `${unknown.length} objects at ${blobs.place} are not in the manifest: selsyn archive rebuild takes them over`,
      { details: { place: blobs.place, objects: unknown.length, key: unknown[0]!.key } },
    );
  }
  const newest = manifest.all("SELECT * FROM object WHERE state = 'current' ORDER BY id DESC LIMIT 1").map(objectOf)[0];
  if (newest === undefined) {
    manifest.setPlace(blobs.place);
    return false;
  }
  if (before === blobs.place) {
    const head = await blobs.head(newest.key, { signal });
    if (head?.sizeBytes !== newest.sizeBytes) throw misplaced(blobs.place, before, newest.key, undefined);
    return false;
  }
  const all = manifest.all("SELECT * FROM object WHERE state = 'current'").map(objectOf);
  const missing = all.filter(({ key, sizeBytes }) => keys.get(key)?.sizeBytes !== sizeBytes);
  if (missing.length > 0) throw misplaced(blobs.place, before, missing[0]!.key, missing.length);
  manifest.setPlace(blobs.place);
  return true;
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
