import { ArchiveFixture, parquetForTests } from '@selsyn/platform/archive/archive.fixture.ts';
import { S3Blobs } from '@selsyn/platform/blobs/drivers/s3/s3-blobs.ts';
import { DAY_MS, HOUR_MS } from '@selsyn/platform/telemetry/day-file-schema.ts';
import { rmSync } from 'node:fs';
import { afterAll, expect, test } from 'vitest';
import { S3_BUCKET, S3_CREDENTIALS, S3_KMS_KEY, S3Server } from '../harness/s3-server.ts';

const server = await S3Server.start('s3mock');
const parquet = parquetForTests();
afterAll(async () => {
  await parquet[Symbol.asyncDispose]();
  await server?.[Symbol.asyncDispose]();
});
const withServer = server === undefined ? test.skip : test;

let stores = 0;

function bucket(more: object = {}): S3Blobs {
  return new S3Blobs({
    bucket: S3_BUCKET,
    prefix: `run-${stores++}/`,
    region: 'us-east-1',
    endpoint: server!.endpoint,
    pathStyle: true,
    credentials: S3_CREDENTIALS,
    checksums: true,
    maxAttempts: 2,
    ...more,
  });
}

async function openIn(blobs: S3Blobs): Promise<ArchiveFixture> {
  return await ArchiveFixture.open(parquet, (fixture) => {
    fixture.blobs = blobs;
    fixture.direct = undefined;
    fixture.times = { ...fixture.times, joinAfterMs: 2 * HOUR_MS };
  });
}

const HOURS = 6;

function fill(archive: ArchiveFixture): string[] {
  const rows: string[] = [];
  for (let hour = 0; hour < HOURS; hour++) {
    const points = Array.from({ length: 200 }, (_, i) => [`d${i % 7}`, 'v', hour * 60 + Math.floor(i / 7), i * 1.5] as const);
    archive.points(...points);
    rows.push(...points.map(([device, metric, minute, value]) => `${device} ${metric} ${minute} ${value}`));
  }
  return rows.sort();
}

withServer('an S3 server that dies in the middle, again and again, costs no point and makes none twice', async () => {
  await using blobs = bucket();
  await using archive = await openIn(blobs);
  archive.types.types.set('d1', 'meter').set('d2', 'tap');
  const expected = fill(archive);
  archive.store.clock.advance(DAY_MS);
  for (const step of ['planned', 'uploaded', 'verified', 'committed'] as const) {
    // With every death the archiver has come further: hours first, then the joining of the day.
    let left = 2;
    archive.onStep = async (reached) => {
      if (reached === step && --left === 0) await server!.kill();
    };
    const failed = await archive.pass().then(
      () => false,
      (error: unknown) => expect(error).toMatchObject({ code: 'blobs.unavailable' }) === undefined,
    );
    archive.onStep = undefined;
    if (left > 0) expect(failed).toBe(false);
    else await server!.startAgain();
    archive.closeArchive();
    await archive.openArchive();
    const late = [`late-${step}`, 'v', 17, 1] as const;
    archive.points(late);
    expected.push(late.join(' '));
    archive.store.clock.advance(DAY_MS);
  }
  await archive.pass();
  await archive.pass();
  expect(await archive.rows()).toEqual(expected.sort());
  expect(await archive.stored()).toEqual(archive.keys());
  expect(archive.archiver.isArchived(archive.today / DAY_MS)).toBeDefined();
});

withServer('what is only in S3 is fetched to a cache, which stays within its bounds', async () => {
  await using blobs = bucket({ storageClass: 'STANDARD_IA', encryption: { kind: 'aws:kms', keyId: S3_KMS_KEY } });
  await using archive = await openIn(blobs);
  const expected = fill(archive);
  await archive.pass();
  archive.closeArchive();
  rmSync(archive.folders.cache, { recursive: true });
  await archive.openArchive();
  expect(await archive.rows()).toEqual(expected);
});
