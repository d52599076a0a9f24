import { join, resolve } from 'node:path';
import type { BlobStore } from '../blobs/blob-store.ts';
import { DiskBlobs } from '../blobs/drivers/disk/disk-blobs.ts';
import type { S3BlobsOptions } from '../blobs/drivers/s3/s3-blobs.ts';
import { LocalObjects } from '../archive/local-objects.ts';
import { archiveFolders } from '../archive/manifest-schema.ts';
import { SelsynError } from '../kernel/errors.ts';
import type { ArchiveSettings } from './archive-settings.ts';

/** Where objects of the archive are, and how they are read here. */
export interface ArchiveTarget {
  readonly blobs: BlobStore;
  readonly local: LocalObjects;
  /** Where objects are files of this machine. */
  readonly folder: string | undefined;
}

/** Undefined where nothing is archived. @throws SelsynError `config.invalid` */
export async function openArchiveTarget(settings: ArchiveSettings, root: string): Promise<ArchiveTarget | undefined> {
  if (settings.target === 'off') return undefined;
  const { cache, held, objects } = archiveFolders(root);
  const { cacheBytes: maxBytes } = settings;
  if (settings.target === 'disk') {
    const folder = settings.folder === '' ? objects : resolve(settings.folder);
    const blobs = new DiskBlobs({ root: folder });
    const local = new LocalObjects({ cache, held, blobs, direct: (key) => join(folder, key), maxBytes });
    return { blobs, local, folder };
  }
  const blobs = await s3Blobs(settings);
  return { blobs, local: new LocalObjects({ cache, held, blobs, maxBytes }), folder: undefined };
}

async function s3Blobs(settings: ArchiveSettings): Promise<BlobStore> {
  const { bucket, prefix, region, endpoint, pathStyle, storageClass, checksums, accessKeyId, secretAccessKey } = settings;
  if (bucket === '') throw new SelsynError('config.invalid', 'archive.bucket is missing');
  if ((accessKeyId === '') !== (secretAccessKey === undefined)) {
    throw new SelsynError('config.invalid', 'archive.accessKeyId and archive.secretAccessKey go together');
  }
  // Loaded where it is used: a start without it takes half a second less.
  const { S3Blobs } = await import('../blobs/drivers/s3/s3-blobs.ts');
  return new S3Blobs({
    bucket,
    prefix,
    region,
    endpoint: endpoint === '' ? undefined : endpoint,
    pathStyle: pathStyle === 'auto' ? endpoint !== '' : pathStyle === 'on',
    credentials: secretAccessKey === undefined ? undefined : { accessKeyId, secretAccessKey },
    storageClass: storageClass === '' ? undefined : storageClass,
    encryption: encryptionOf(settings),
    checksums,
  });
}

function encryptionOf({ encryption, kmsKeyId }: ArchiveSettings): S3BlobsOptions['encryption'] {
  if (encryption === 'bucket') return undefined;
  if (encryption === 'AES256') return { kind: encryption };
  return { kind: encryption, keyId: kmsKeyId === '' ? undefined : kmsKeyId };
}
