import { openSqliteDatabase } from '../database/drivers/sqlite/sqlite-database.ts';
import { migrate } from '../database/migrate.ts';
import type { Database } from '../database/schema.ts';
import { FakeClock } from '../kernel/fake-clock.ts';
import { ConnectivityStore } from './connectivity-store.ts';
import { DeviceStore } from './device-store.ts';
import { DeviceTypeStore } from './device-type-store.ts';
import { FleetStore, fleetsFollow } from './fleet-store.ts';
import { GroupStore } from './group-store.ts';

export interface TestRegistry extends AsyncDisposable {
  readonly database: Database;
  readonly clock: FakeClock;
  readonly devices: DeviceStore;
  readonly types: DeviceTypeStore;
  readonly groups: GroupStore;
  readonly fleets: FleetStore;
  readonly connectivity: ConnectivityStore;
}

/** All stores of the registry over one database in memory, at 1000 ms. */
export async function openTestRegistry(): Promise<TestRegistry> {
  const file = openSqliteDatabase(':memory:');
  const { database } = file;
  await migrate(database);
  const clock = new FakeClock(1000);
  return {
    database,
    clock,
    devices: new DeviceStore({ database, clock }),
    types: new DeviceTypeStore({ database, clock }),
    groups: new GroupStore({ database, clock, followers: [fleetsFollow] }),
    fleets: new FleetStore({ database, clock }),
    connectivity: new ConnectivityStore({ database }),
    [Symbol.asyncDispose]: () => file[Symbol.asyncDispose](),
  };
}

/** The postings as they are, and as they would be if put together anew: a test compares them. */
export async function postingsOf(database: Database): Promise<unknown> {
  const terms = await database.selectFrom('device_term').selectAll().orderBy('field').orderBy('kind').orderBy('text').execute();
  const rows = await database.selectFrom('device_posting').selectAll().orderBy('slot').execute();
  return terms.map(({ id, field, kind, text, devices }) => ({
    term: `${field} ${kind} ${text}`,
    devices,
    blocks: rows
      .filter(({ slot }) => Math.floor(Number(slot) / 2 ** 20) === Number(id))
      .map(({ slot, bits }) => [Number(slot) % 2 ** 20, Buffer.from(bits).toString('hex')]),
  }));
}
