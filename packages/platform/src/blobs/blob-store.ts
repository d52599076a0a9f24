import type { Readable } from 'node:stream';

/**
 * Names an object: parts joined by `/`, each of 1 to 255 bytes of printable ASCII without `\`, none of them `.` or `..`;
 * at most 900 bytes in all. Where `a/b` is an object there are none below `a/b/`: a directory could not hold both.
 */
export type BlobKey = string;

export interface BlobInfo {
  readonly key: BlobKey;
  readonly sizeBytes: number;
  /** When it was stored, ms since 1970. */
  readonly modifiedMs: number;
}

/** Told by the store of what it holds. */
export interface BlobHead extends BlobInfo {
  /**
   * A digest that the store took of the bytes as it received them; undefined where it keeps none. Compare with
   * `BlobStore.digest` of the file that was sent.
   */
  readonly digest: string | undefined;
}

/**
 * Objects that are written whole, once, and read in parts: no rename, no append, no change.
 *
 * Whoever needs to replace an object writes another key, records it, and deletes the old one.
 */
export interface BlobStore extends AsyncDisposable {
  /** For people, in answers and log lines: `s3://bucket/prefix`, `/var/lib/selsyn/archive`. */
  readonly place: string;
  /**
   * Stores a file as an object; durable when it resolves. An object of this key is replaced, and is never seen half
   * written. When it rejects, the object is absent or whole (an earlier try may have come through).
   *
   * @throws SelsynError `blobs.full` out of space; `blobs.refused` when access is denied or the bucket is not there;
   * `blobs.unavailable` (retryable) when the store could not be reached, after tries of its own.
   */
  put(key: BlobKey, file: string, options?: { readonly signal?: AbortSignal }): Promise<void>;
  /** Undefined where there is no such object. @throws SelsynError as `put` */
  head(key: BlobKey, options?: { readonly signal?: AbortSignal }): Promise<BlobHead | undefined>;
  /**
   * The bytes of an object, or a part of them: [start, end). Errors in the middle are errors of the stream.
   *
   * @throws SelsynError `blobs.not-found`; else as `put`
   */
  read(
    key: BlobKey,
    options?: { readonly range?: { readonly start: number; readonly end: number }; readonly signal?: AbortSignal },
  ): Promise<Readable>;
  /** Objects whose key begins with `prefix`, in code unit order of their keys. @throws SelsynError as `put` */
  list(prefix: string, options?: { readonly signal?: AbortSignal }): AsyncIterable<BlobInfo>;
  /** Deletes objects; one that is not there is no error. @throws SelsynError as `put`: some may be deleted */
  delete(keys: readonly BlobKey[], options?: { readonly signal?: AbortSignal }): Promise<void>;
  /** What `head` would say of this file if it were stored now; undefined where the store keeps no digests. */
  digest(file: string, options?: { readonly signal?: AbortSignal }): Promise<string | undefined>;
  /**
   * Removes what puts that were broken off have left (parts of uploads, files aside) below a prefix, which cost space
   * and are not listed. Only while nobody puts below it.
   *
   * @returns how many
   */
  sweep(prefix: string, options?: { readonly signal?: AbortSignal }): Promise<number>;
}
