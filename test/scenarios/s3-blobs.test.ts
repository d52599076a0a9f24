import { blobStoreContract } from '@selsyn/platform/blobs/blob-store.contract.ts';
import { S3Blobs } from '@selsyn/platform/blobs/drivers/s3/s3-blobs.ts';
import { test } from 'vitest';
import { S3_BUCKET, S3_CREDENTIALS, S3Server, type S3Kind } from '../harness/s3-server.ts';

for (const { kind, checksums } of [
  { kind: 's3mock', checksums: true },
  { kind: 's3proxy', checksums: false },
] as const) {
  const server = await S3Server.start(kind);
  if (server === undefined) {
    test.skip(`objects in ${kind}: it could not be had`, () => {});
    continue;
  }
  blobStoreContract(`${kind}${checksums ? '' : ', without checksums'}`, async () => await harnessOf(server, kind, checksums));
}

async function harnessOf(server: S3Server, _kind: S3Kind, checksums: boolean) {
  const store = new S3Blobs({
    bucket: S3_BUCKET,
    prefix: 'some/where/',
    region: 'us-east-1',
    endpoint: server.endpoint,
    pathStyle: true,
    credentials: S3_CREDENTIALS,
    checksums,
  });
  return {
    store,
    [Symbol.asyncDispose]: async () => {
      await store[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}
