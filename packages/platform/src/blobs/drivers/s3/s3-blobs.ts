import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import {
  AbortMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  S3Client,
  type ListMultipartUploadsCommandOutput,
  type PutObjectCommandInput,
  type StorageClass,
} from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import { checkBlobKey } from '../../blob-key.ts';
import type { BlobHead, BlobInfo, BlobStore } from '../../blob-store.ts';
import { partBytesOf, s3Sha256 } from './composite-digest.ts';
import { isNotFound, s3Failure } from './s3-failure.ts';

export interface S3BlobsOptions {
  readonly bucket: string;
  /** Before each key, with its `/`; '': none. */
  readonly prefix: string;
  readonly region: string;
  /** Undefined: that of AWS in the region. */
  readonly endpoint?: string | undefined;
  /** `endpoint/bucket/key` instead of `bucket.endpoint/key`. */
  readonly pathStyle: boolean;
  /** Undefined: as the AWS SDK finds them (environment, profile, web identity, instance). */
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string } | undefined;
  readonly storageClass?: string | undefined;
  readonly encryption?:
    | { readonly kind: 'AES256' }
    | { readonly kind: 'aws:kms'; readonly keyId: string | undefined }
    | undefined;
  /** Whether the store takes and keeps SHA-256 checksums. Without, what was put is read back by whoever verifies it. */
  readonly checksums: boolean;
  /** Tries of each request. Default 5. */
  readonly maxAttempts?: number;
}

const CONNECT_MS = 5_000;
const IDLE_MS = 60_000;
/** Parts of one upload under way at the same time: 24 MiB of memory. */
const PARTS_AT_ONCE = 3;
const DELETES_AT_ONCE = 8;

/**
 * Objects in a bucket of S3, or of what speaks its protocol. Requests are tried again with growing pauses by the SDK
 * ("standard" mode); larger files go in parts, each of which is tried by itself.
 */
export class S3Blobs implements BlobStore {
  readonly #client: S3Client;
  readonly #options: S3BlobsOptions;

  constructor(options: S3BlobsOptions) {
    this.#options = options;
    const { endpoint, credentials } = options;
    this.#client = new S3Client({
      region: options.region,
      forcePathStyle: options.pathStyle,
      maxAttempts: options.maxAttempts ?? 5,
      retryMode: 'standard',
      requestHandler: { connectionTimeout: CONNECT_MS, requestTimeout: IDLE_MS },
      requestChecksumCalculation: options.checksums ? 'WHEN_SUPPORTED' : 'WHEN_REQUIRED',
      // Whoever reads an object knows its SHA-256 and compares it.
      responseChecksumValidation: 'WHEN_REQUIRED',
      ...(endpoint === undefined ? {} : { endpoint }),
      ...(credentials === undefined ? {} : { credentials }),
    });
  }

  get place(): string {
    const { endpoint, bucket, prefix } = this.#options;
    return `s3://${bucket}/${prefix}${endpoint === undefined ? '' : ` at ${endpoint}`}`;
  }

  async put(key: string, file: string, options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    const { signal } = options;
    try {
      checkBlobKey(key);
      const { size } = await stat(file);
      signal?.throwIfAborted();
      const upload = new Upload({
        client: this.#client,
        queueSize: PARTS_AT_ONCE,
        partSize: partBytesOf(size),
        params: { ...this.#at(key), ...this.#storing(), Body: createReadStream(file), ContentLength: size },
      });
      const abort = (): void => void upload.abort();
      signal?.addEventListener('abort', abort);
      try {
        await upload.done();
      } finally {
        signal?.removeEventListener('abort', abort);
      }
    } catch (error) {
      throw s3Failure(error, `put ${key}`, signal);
    }
  }

  async head(key: string, options: { readonly signal?: AbortSignal } = {}): Promise<BlobHead | undefined> {
    try {
      const command = new HeadObjectCommand({
        ...this.#at(key),
        ...(this.#options.checksums ? { ChecksumMode: 'ENABLED' as const } : {}),
      });
      const found = await this.#client.send(command, sending(options.signal));
      return {
        key,
        sizeBytes: found.ContentLength ?? 0,
        modifiedMs: found.LastModified?.getTime() ?? 0,
        digest: this.#options.checksums ? found.ChecksumSHA256 : undefined,
      };
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw s3Failure(error, `head ${key}`, options.signal);
    }
  }

  async read(
    key: string,
    options: { readonly range?: { readonly start: number; readonly end: number }; readonly signal?: AbortSignal } = {},
  ): Promise<Readable> {
    const { range, signal } = options;
    try {
      const command = new GetObjectCommand({
        ...this.#at(key),
        ...(range === undefined ? {} : { Range: `bytes=${range.start}-${range.end - 1}` }),
      });
      const { Body } = await this.#client.send(command, sending(signal));
      // In Node the SDK gives an IncomingMessage.
      return Body as Readable;
    } catch (error) {
      throw s3Failure(error, `get ${key}`, signal);
    }
  }

  async *list(prefix: string, options: { readonly signal?: AbortSignal } = {}): AsyncGenerator<BlobInfo> {
    const { bucket, prefix: own } = this.#options;
    let token: string | undefined;
    do {
      const command: ListObjectsV2Command = new ListObjectsV2Command({
        Bucket: bucket,
        Prefix: own + prefix,
        ...(token === undefined ? {} : { ContinuationToken: token }),
      });
      const page = await this.#try(
        `list ${prefix}`,
        options.signal,
        async () => await this.#client.send(command, sending(options.signal)),
      );
      for (const { Key, Size, LastModified } of page.Contents ?? []) {
        if (Key === undefined) continue;
        yield { key: Key.slice(own.length), sizeBytes: Size ?? 0, modifiedMs: LastModified?.getTime() ?? 0 };
      }
      token = page.IsTruncated === true ? page.NextContinuationToken : undefined;
    } while (token !== undefined);
  }

  async delete(keys: readonly string[], options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    // One by one: not every store that speaks S3 knows DeleteObjects.
    for (let at = 0; at < keys.length; at += DELETES_AT_ONCE) {
      await Promise.all(
        keys.slice(at, at + DELETES_AT_ONCE).map(async (key) => {
          try {
            await this.#client.send(new DeleteObjectCommand(this.#at(key)), sending(options.signal));
          } catch (error) {
            if (!isNotFound(error)) throw s3Failure(error, `delete ${key}`, options.signal);
          }
        }),
      );
    }
  }

  async digest(file: string, options: { readonly signal?: AbortSignal } = {}): Promise<string | undefined> {
    return this.#options.checksums ? await s3Sha256(file, options.signal) : undefined;
  }

  async sweep(prefix: string, options: { readonly signal?: AbortSignal } = {}): Promise<number> {
    const { bucket, prefix: own } = this.#options;
    const what = `sweep ${prefix}`;
    let swept = 0;
    let after: { readonly KeyMarker?: string; readonly UploadIdMarker?: string } | undefined = {};
    while (after !== undefined) {
      const command = new ListMultipartUploadsCommand({ Bucket: bucket, Prefix: own + prefix, ...after });
      const page: ListMultipartUploadsCommandOutput = await this.#try(
        what,
        options.signal,
        async () => await this.#client.send(command, sending(options.signal)),
      );
      for (const { Key, UploadId } of page.Uploads ?? []) {
        if (Key === undefined || UploadId === undefined || !Key.startsWith(own + prefix)) continue;
        const abort = new AbortMultipartUploadCommand({ Bucket: bucket, Key, UploadId });
        try {
          await this.#client.send(abort, sending(options.signal));
          swept++;
        } catch (error) {
          if (!isNotFound(error)) throw s3Failure(error, what, options.signal);
        }
      }
      after = nextUploads(page);
    }
    return swept;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#client.destroy();
  }

  #at(key: string): { readonly Bucket: string; readonly Key: string } {
    checkBlobKey(key);
    return { Bucket: this.#options.bucket, Key: this.#options.prefix + key };
  }

  #storing(): Partial<PutObjectCommandInput> {
    const { storageClass, encryption, checksums } = this.#options;
    return {
      // Any other name is for the store to judge: those that speak S3 have classes of their own.
      ...(storageClass === undefined ? {} : { StorageClass: storageClass as StorageClass }),
      ...(encryption === undefined ? {} : { ServerSideEncryption: encryption.kind }),
      ...(encryption?.kind === 'aws:kms' && encryption.keyId !== undefined ? { SSEKMSKeyId: encryption.keyId } : {}),
      ...(checksums ? { ChecksumAlgorithm: 'SHA256' as const } : {}),
    };
  }

  async #try<T>(what: string, signal: AbortSignal | undefined, call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } catch (error) {
      throw s3Failure(error, what, signal);
    }
  }
}

/**
 * Where the next page of uploads begins; undefined after the last one. A store that says that there are more, and not after which,
 * would give the same page for ever.
 */
function nextUploads(
  page: Pick<ListMultipartUploadsCommandOutput, 'IsTruncated' | 'NextKeyMarker' | 'NextUploadIdMarker'>,
): { readonly KeyMarker: string; readonly UploadIdMarker?: string } | undefined {
  const { IsTruncated, NextKeyMarker, NextUploadIdMarker } = page;
  if (IsTruncated !== true || NextKeyMarker === undefined || NextKeyMarker === '') return undefined;
  return { KeyMarker: NextKeyMarker, ...(NextUploadIdMarker === undefined ? {} : { UploadIdMarker: NextUploadIdMarker }) };
}

function sending(signal: AbortSignal | undefined): { readonly abortSignal?: AbortSignal } {
  return signal === undefined ? {} : { abortSignal: signal };
}
