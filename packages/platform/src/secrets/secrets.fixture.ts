import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openSqliteDatabase } from '../database/drivers/sqlite/sqlite-database.ts';
import { migrate } from '../database/migrate.ts';
import type { Database } from '../database/schema.ts';
import { FakeClock } from '../kernel/fake-clock.ts';
import { silentLogLines } from '../kernel/log-lines.ts';
import { FileMasterKeys } from './drivers/file-master-keys.ts';
import type { MasterKey, MasterKeys } from './master-key.ts';
import { Secrets } from './secrets.ts';

export interface TestSecrets extends AsyncDisposable {
  readonly folder: string;
  readonly database: Database;
  readonly clock: FakeClock;
  readonly random: (count: number) => Buffer;
  readonly file: FileMasterKeys;
  /** Opens what is there with the master keys of the file, as a start of the server does. */
  open(masters?: Partial<MasterKeys>): Promise<Secrets>;
  /** A start with a master key that is kept elsewhere. */
  openWith(current: MasterKey, others?: readonly MasterKey[]): Promise<Secrets>;
}

/** A database with everything sealed in it, and a file with the master key. */
export async function openTestSecrets(): Promise<TestSecrets> {
  const folder = mkdtempSync(join(tmpdir(), 'selsyn-secrets-'));
  const open = openSqliteDatabase(join(folder, 'registry.db'));
  const { database } = open;
  await migrate(database);
  const clock = new FakeClock();
  let calls = 0;
  const random = (count: number): Buffer => createHash('shake256', { outputLength: count }).update(String(calls++)).digest();
  const file = new FileMasterKeys({ path: join(folder, 'secrets', 'master.key'), random });
  const dependencies = { database, clock, random, logLines: silentLogLines };
  return {
    folder,
    database,
    clock,
    random,
    file,
    open: async (masters = {}) => {
      const [current, ...others] = (file.exists() ? file.read() : [file.make()]) as readonly [MasterKey, ...MasterKey[]];
      return await Secrets.open(dependencies, { current, others, place: file.path, ...masters }, file);
    },
    openWith: async (current, others = []) => await Secrets.open(dependencies, { current, others, place: 'a test' }, undefined),
    async [Symbol.asyncDispose]() {
      await open[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true });
    },
  };
}

/** Adds devices by their bare rows. */
export async function addDevices(database: Database, ids: readonly string[]): Promise<void> {
  for (let start = 0; start < ids.length; start += 200) {
    await database
      .insertInto('device')
      .values(ids.slice(start, start + 200).map((id) => ({ id, name: null, created_at_ms: 0 })))
      .execute();
  }
}
