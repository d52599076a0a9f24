import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemActor } from '../audit/actor.ts';
import { openSqliteDatabase, openSqliteReader, type OpenDatabase } from '../database/drivers/sqlite/sqlite-database.ts';
import { migrate } from '../database/migrate.ts';
import type { StateSchema } from '../database/schema.ts';
import { STATE_MIGRATIONS } from '../database/state-migrations.ts';
import type { DeviceId } from '../kernel/device-id.ts';
import { FakeClock } from '../kernel/fake-clock.ts';
import { silentLogLines } from '../kernel/log-lines.ts';
import { DeviceStore } from '../registry/device-store.ts';
import { GroupStore } from '../registry/group-store.ts';
import { groupsAreNoted, trimRegistryStream } from '../registry/registry-stream.ts';
import type { Batch } from './batch.ts';
import type { GroupChange, RegistryChange, RegistryFollower } from './registry-changes.ts';
import { RegistryFollowing } from './registry-following.ts';
import { StateWriter } from './state-writer.ts';

const ACTOR = systemActor('test');

class Follower implements RegistryFollower {
  readonly seen: string[] = [];
  fails = false;

  async registryChanged(changes: readonly RegistryChange[], batch: Batch): Promise<void> {
    if (this.fails) throw new Error('on purpose');
    batch.afterCommit(() => this.seen.push(...changes.map(({ device, kind }) => `${kind} ${device}`)));
  }

  async groupChanged({ from, to }: GroupChange, batch: Batch): Promise<void> {
    batch.afterCommit(() => this.seen.push(`group ${from} ${to ?? 'gone'}`));
  }
}

describe('following the registry', () => {
  let folder = '';
  let registry: OpenDatabase;
  let registryReader: OpenDatabase;
  let state: OpenDatabase<StateSchema>;
  let devices: DeviceStore;
  let groups: GroupStore;
  const clock = new FakeClock();
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'selsyn-following-'));
    registry = openSqliteDatabase(join(folder, 'registry.db'));
    await migrate(registry.database);
    registryReader = openSqliteReader(join(folder, 'registry.db'));
    state = openSqliteDatabase<StateSchema>(join(folder, 'state.db'));
    await migrate(state.database, STATE_MIGRATIONS);
    devices = new DeviceStore({ database: registry.database, clock });
    groups = new GroupStore({ database: registry.database, clock, followers: [groupsAreNoted(() => clock.now())] });
  });
  afterEach(async () => {
    for (const each of [registry, registryReader, state]) await each[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  });
  const following = (follower: RegistryFollower) => {
    const writer = new StateWriter({
      database: state.database,
      outlet: { publish: () => {}, isWatched: () => false, tell: () => {} },
      clock,
      logLines: silentLogLines,
    });
    return new RegistryFollowing({
      registry: registryReader.database,
      followers: [follower],
      writer,
      async *devicesOfState() {
        yield ['b', 'gone'];
        yield ['gone'];
      },
      clock,
      logLines: silentLogLines,
    });
  };

  it('shows every change once, of each device the last, and removals before what came after', async () => {
    const follower = new Follower();
    await using stream = following(follower);
    await devices.create({ id: 'a' as DeviceId, group: '/x' }, ACTOR);
    await devices.create({ id: 'b' as DeviceId, group: '/x' }, ACTOR);
    await devices.update('a' as DeviceId, { name: 'A' }, ACTOR);
    await stream.start(state.database);
    expect(follower.seen.splice(0)).toEqual(['put b', 'put a']);
    await devices.remove('a' as DeviceId, ACTOR);
    await devices.create({ id: 'a' as DeviceId }, ACTOR);
    await groups.move('/x', '/y', ACTOR);
    await devices.remove('b' as DeviceId, ACTOR);
    await stream.follow();
    expect(follower.seen.splice(0)).toEqual(['removed a', 'put a', 'group /x /y', 'removed b']);
    await stream.follow();
    expect(follower.seen).toEqual([]);
  });

  it('goes on where it was after the end of the process, and where its rows were trimmed', async () => {
    await devices.create({ id: 'a' as DeviceId }, ACTOR);
    {
      await using first = following(new Follower());
      await first.start(state.database);
      await trimRegistryStream(registry.database, first.position);
    }
    await devices.create({ id: 'b' as DeviceId }, ACTOR);
    const follower = new Follower();
    await using second = following(follower);
    await second.start(state.database);
    expect(follower.seen).toEqual(['put b']);
  });

  it('shows every device as it is where the registry was set back to a backup, and goes on from there', async () => {
    await devices.create({ id: 'a' as DeviceId }, ACTOR);
    await devices.create({ id: 'b' as DeviceId }, ACTOR);
    copyFileSync(join(folder, 'registry.db'), join(folder, 'backup.db'));
    copyFileSync(join(folder, 'registry.db-wal'), join(folder, 'backup.db-wal'));
    await devices.create({ id: 'gone' as DeviceId }, ACTOR);
    {
      await using first = following(new Follower());
      await first.start(state.database);
      expect(first.position).toBe(3);
    }
    for (const each of [registry, registryReader]) await each[Symbol.asyncDispose]();
    registry = openSqliteDatabase(join(folder, 'backup.db'));
    registryReader = openSqliteReader(join(folder, 'backup.db'));
    devices = new DeviceStore({ database: registry.database, clock });
    {
      const follower = new Follower();
      await using second = following(follower);
      await second.start(state.database);
      expect([second.position, follower.seen.splice(0)]).toEqual([2, ['removed gone', 'removed gone', 'put a', 'put b']]);
      await devices.remove('b' as DeviceId, ACTOR);
      await second.follow();
      expect(follower.seen).toEqual(['removed b']);
    }
    const follower = new Follower();
    await using third = following(follower);
    await third.start(state.database);
    expect(follower.seen).toEqual([]);
  });

  it('shows every device as it is where the state was set back, and what came since was trimmed', async () => {
    for (const id of ['a', 'b', 'c']) await devices.create({ id: id as DeviceId }, ACTOR);
    await state.database.insertInto('state_position').values({ stream: 'registry', position: 1 }).execute();
    await trimRegistryStream(registry.database, 3);
    const follower = new Follower();
    follower.fails = true;
    await using stream = following(follower);
    await stream.start(state.database);
    expect([stream.position, follower.seen]).toEqual([1, []]);
    follower.fails = false;
    await stream.follow();
    expect([stream.position, follower.seen]).toEqual([3, ['removed gone', 'removed gone', 'put a', 'put b', 'put c']]);
  });

  it('shows again what was followed in a batch that failed after it', async () => {
    const seen: string[] = [];
    let fails = true;
    await using stream = following({
      registryChanged: async (changes, batch) => {
        // It cannot be written to the audit trail: the whole batch is undone once all have followed.
        const after = fails ? 1n : 1;
        batch.audit({ actor: ACTOR, action: 'x.y', object: { kind: 'x', id: 'x' }, group: '/', after });
        batch.afterCommit(() => seen.push(...changes.map(({ device }) => device)));
      },
    });
    await devices.create({ id: 'a' as DeviceId }, ACTOR);
    await stream.start(state.database);
    expect([seen, stream.position]).toEqual([[], 0]);
    fails = false;
    clock.advance(250);
    await expect.poll(() => seen).toEqual(['a']);
  });

  it('shows again what could not be followed', async () => {
    const follower = new Follower();
    follower.fails = true;
    await using stream = following(follower);
    await devices.create({ id: 'a' as DeviceId }, ACTOR);
    await stream.start(state.database);
    expect([follower.seen, stream.position]).toEqual([[], 0]);
    follower.fails = false;
    clock.advance(250);
    await expect.poll(() => follower.seen).toEqual(['put a']);
  });
});
