import type { BlobStore } from '../blobs/blob-store.ts';
import type { Manifest } from './manifest.ts';
import { ARCHIVE_PREFIX, parseObjectKey, type KeyFacts } from './object-key.ts';

/** An object in the store that the manifest does not know. */
export interface StrayObject extends KeyFacts {
  readonly key: string;
  readonly sizeBytes: number;
  readonly modifiedMs: number;
}

/** What there is in the store, by key. */
export type StoredKeys = ReadonlyMap<string, { readonly sizeBytes: number; readonly modifiedMs: number }>;

/** All of it, or nothing. @throws SelsynError `blobs.*` */
export async function listStored(blobs: BlobStore, signal: AbortSignal): Promise<StoredKeys> {
  const keys = new Map<string, { readonly sizeBytes: number; readonly modifiedMs: number }>();
  for await (const { key, sizeBytes, modifiedMs } of blobs.list(ARCHIVE_PREFIX, { signal })) {
    keys.set(key, { sizeBytes, modifiedMs });
  }
  return keys;
}

/** Of what is stored, the objects that the manifest does not know, by id. */
export function straysAmong(manifest: Manifest, stored: StoredKeys): readonly StrayObject[] {
  const known = manifest.keys();
  const strays: StrayObject[] = [];
  for (const [key, facts] of stored) {
    const said = known.has(key) ? undefined : parseObjectKey(key);
    if (said !== undefined) strays.push({ ...said, key, ...facts });
  }
  return strays.sort((a, b) => a.id - b.id);
}
