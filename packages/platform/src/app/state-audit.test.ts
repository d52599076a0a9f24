import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemActor } from '../audit/actor.ts';
import { AuditTrail } from '../audit/audit-trail.ts';
import { openSqliteDatabase, type OpenDatabase } from '../database/drivers/sqlite/sqlite-database.ts';
import { migrate } from '../database/migrate.ts';
import type { StateSchema } from '../database/schema.ts';
import { STATE_MIGRATIONS } from '../database/state-migrations.ts';
import { FakeClock } from '../kernel/fake-clock.ts';
import { silentLogLines } from '../kernel/log-lines.ts';
import { openAuditOutbox } from '../state/audit-outbox.ts';
import { StateAudit } from './state-audit.ts';

let folder = '';
let registry: OpenDatabase;
let state: OpenDatabase<StateSchema>;
let trail: AuditTrail;
const clock = new FakeClock();
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'selsyn-state-audit-'));
  registry = openSqliteDatabase(join(folder, 'registry.db'));
  await migrate(registry.database);
  state = openSqliteDatabase<StateSchema>(join(folder, 'state.db'));
  await migrate(state.database, STATE_MIGRATIONS);
  trail = new AuditTrail({ database: registry.database, clock });
});
afterEach(async () => {
  await registry[Symbol.asyncDispose]();
  await state[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

const change = (id: string) => ({
  actor: systemActor('x'),
  action: 'job.create',
  object: { kind: 'job', id },
  group: '/',
  after: {},
});
const put = async (...ids: string[]) => {
  const rows = ids.map((id, index) => ({ at_ms: 1_000 + index, change: JSON.stringify(change(id)) }));
  await state.database.insertInto('state_audit').values(rows).execute();
};
const audit = (taken: (upTo: number) => Promise<void>) =>
  new StateAudit({ state: state.database, registry: registry.database, trail, taken, clock, logLines: silentLogLines });
const entries = async () => (await trail.list({ limit: 100 })).map(({ object, atMs }) => `${object.id} ${atMs}`).toReversed();

test('brings each change to the trail once, in order, with the time at which it was, also where the outbox could not be emptied', async () => {
  const removed: number[] = [];
  await put('a', 'b');
  await expect(
    audit(async () => {
      throw new Error('the process ends here');
    }).take(),
  ).rejects.toThrow('ends here');
  expect(await entries()).toEqual(['a 1000', 'b 1001']);
  await put('c');
  const again = audit(async (upTo) => void removed.push(upTo));
  await again.take();
  await again.take();
  expect([await entries(), removed]).toEqual([['a 1000', 'b 1001', 'c 1000'], [3]]);
});

test('neither the trail nor the position is changed where one of them cannot be', async () => {
  await put('a');
  const broken = new StateAudit({
    state: state.database,
    registry: registry.database,
    trail: {
      record: async (changes, transaction, atMs) => {
        await trail.record(changes, transaction, atMs);
        throw new Error('on purpose');
      },
    },
    taken: async () => {},
    clock,
    logLines: silentLogLines,
  });
  await expect(broken.take()).rejects.toThrow('on purpose');
  expect(await entries()).toEqual([]);
  await audit(async () => {}).take();
  expect(await entries()).toEqual(['a 1000']);
});

test('looks by itself, and goes on after a failure', async () => {
  let fails = true;
  await using watching = audit(async () => {
    if (fails) throw new Error('once');
  });
  watching.start();
  await put('a');
  clock.advance(500);
  await expect.poll(entries).toEqual(['a 1000']);
  fails = false;
  await put('b');
  await expect
    .poll(async () => {
      clock.advance(500);
      return await entries();
    })
    .toEqual(['a 1000', 'b 1000']);
});

test('what is changed after the state was set back to a backup, or begun anew, is brought to the trail too', async () => {
  await openAuditOutbox(state.database, clock.now());
  await put('a', 'b', 'c');
  await audit(async (upTo) => void (await state.database.deleteFrom('state_audit').where('id', '<=', upTo).execute())).take();
  await state[Symbol.asyncDispose]();
  clock.advance(1);
  state = openSqliteDatabase<StateSchema>(join(folder, 'new.db'));
  await migrate(state.database, STATE_MIGRATIONS);
  await openAuditOutbox(state.database, clock.now());
  await put('d');
  await audit(async () => {}).take();
  expect((await entries()).map((entry) => entry.split(' ')[0])).toEqual(['a', 'b', 'c', 'd']);
  // A clock that was set back does not set the ids back.
  await openAuditOutbox(state.database, clock.now() - 3_600_000);
  await put('e');
  await audit(async () => {}).take();
  expect((await entries()).at(-1)).toMatch(/^e /);
});
