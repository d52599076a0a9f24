import { afterAll, afterEach, beforeEach } from 'vitest';
import type { ParquetFiles } from '../columnar/parquet-files.ts';
import { ArchiveFixture, parquetForTests } from './archive.fixture.ts';

/** A new archive before each test of a file, which `take` is given. @returns the process that writes Parquet for all of them */
export function archiveOfEachTest(take: (archive: ArchiveFixture) => void): ParquetFiles {
  const parquet = parquetForTests();
  let archive: ArchiveFixture | undefined;
  beforeEach(async () => {
    archive = await ArchiveFixture.open(parquet);
    take(archive);
  });
  afterEach(async () => {
    await archive?.[Symbol.asyncDispose]();
    archive = undefined;
  });
  afterAll(async () => {
    await parquet[Symbol.asyncDispose]();
  });
  return parquet;
}
