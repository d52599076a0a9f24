import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemActor } from '../audit/actor.ts';
import { openSqliteDatabase, openSqliteReader, type OpenDatabase } from '../database/drivers/sqlite/sqlite-database.ts';
import { migrate } from '../database/migrate.ts';
import type { StateSchema } from '../database/schema.ts';
import { STATE_MIGRATIONS } from '../database/state-migrations.ts';
import { SelsynError } from '../kernel/errors.ts';
import { FakeClock } from '../kernel/fake-clock.ts';
import { silentLogLines } from '../kernel/log-lines.ts';
import type { Batch } from './batch.ts';
import type { OutgoingMessage } from './outgoing.ts';
import type { StateDomain } from './state-domain.ts';
import type { StateEvent } from './state-events.ts';
import { StateWriter } from './state-writer.ts';

/** Adds to numbers that have names; a work of `NaN` is a fault of the domain. */
class Sums implements StateDomain<readonly [string, number], number> {
  readonly name = 'sums';
  readonly batches: number[] = [];
  readonly heard: string[] = [];

  async apply(works: readonly (readonly [string, number])[], batch: Batch): Promise<readonly number[]> {
    this.batches.push(works.length);
    batch.afterCommit(() => this.heard.push('commit'));
    batch.onRollback(() => this.heard.push('rollback'));
    const sums: number[] = [];
    for (const [stream, add] of works) {
      if (Number.isNaN(add)) throw new Error('on purpose');
      if (add === Infinity) throw new SelsynError('data.unwritable', 'the volume is full');
      const before = await batch.transaction
        .selectFrom('state_position')
        .select('position')
        .where('stream', '=', stream)
        .executeTakeFirst();
      const position = Number(before?.position ?? 0) + add;
      await batch.transaction
        .insertInto('state_position')
        .values({ stream, position })
        .onConflict((conflict) => conflict.column('stream').doUpdateSet({ position }))
        .execute();
      batch.publish({ device: stream, topic: `sums/${stream}`, payload: Buffer.from(String(position)) });
      if (batch.isWatched(stream)) batch.tell({ kind: 'command', device: stream, command: 'add', state: String(position) });
      batch.audit({ actor: systemActor('test'), action: 'sum.add', object: { kind: 'sum', id: stream }, group: '/', after: add });
      sums.push(position);
    }
    return sums;
  }
}

describe('the writer of the state', () => {
  let folder = '';
  let open: OpenDatabase<StateSchema>;
  let reader: OpenDatabase<StateSchema>;
  const published: OutgoingMessage[] = [];
  const told: StateEvent[] = [];
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'selsyn-state-'));
    open = openSqliteDatabase<StateSchema>(join(folder, 'state.db'));
    await migrate(open.database, STATE_MIGRATIONS);
    reader = openSqliteReader<StateSchema>(join(folder, 'state.db'));
    published.length = told.length = 0;
  });
  afterEach(async () => {
    await reader[Symbol.asyncDispose]();
    await open[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  });
  const positions = async () => await reader.database.selectFrom('state_position').select(['stream', 'position']).execute();
  const writer = (maxWaiting?: number) =>
    new StateWriter({
      database: open.database,
      outlet: {
        publish: (messages) => void published.push(...messages),
        isWatched: (device) => device === 'watched',
        tell: (events) => void told.push(...events),
      },
      clock: new FakeClock(),
      logLines: silentLogLines,
      ...(maxWaiting !== undefined && { maxWaiting }),
    });

  it('writes what comes together in one transaction, in its order, and answers once it is there', async () => {
    const [sums, others] = [new Sums(), new Sums()];
    const state = writer();
    const results = [state.run(sums, ['a', 1]), state.run(others, ['b', 5]), state.run(sums, ['a', 2])];
    expect(published).toEqual([]);
    expect(await Promise.all(results)).toEqual([1, 5, 3]);
    expect([sums.batches, others.batches, sums.heard, state.counters]).toEqual([
      [2],
      [1],
      ['commit'],
      { batches: 1, works: 3, failed: 0 },
    ]);
    expect(published.map(({ payload }) => Buffer.from(payload).toString())).toEqual(['1', '3', '5']);
    expect(await positions()).toEqual([
      { stream: 'a', position: 3 },
      { stream: 'b', position: 5 },
    ]);
  });

  it('publishes nothing before it is durable, and works that come meanwhile share the next batch', async () => {
    const sums = new Sums();
    const state = writer();
    let seen: unknown;
    const first = state.run(sums, ['a', 1]).then(async () => {
      seen = [await positions(), published.length];
    });
    await first;
    expect(seen).toEqual([[{ stream: 'a', position: 1 }], 1]);
    await Promise.all([1, 2, 3].map(async (n) => await state.run(sums, ['a', n])));
    expect(sums.batches).toEqual([1, 3]);
  });

  it('lets a work that fails fail alone: what was in its batch is done without it, and nothing of it is left', async () => {
    const sums = new Sums();
    const state = writer();
    const results = await Promise.allSettled([
      state.run(sums, ['a', 1]),
      state.run(sums, ['a', NaN]),
      state.run(sums, ['watched', 2]),
    ]);
    expect(results.map((result) => (result.status === 'fulfilled' ? result.value : 'failed'))).toEqual([1, 'failed', 2]);
    expect(sums.heard).toEqual(['rollback', 'commit', 'rollback', 'rollback', 'commit']);
    expect([published.length, told, state.counters]).toEqual([
      2,
      [{ kind: 'command', device: 'watched', command: 'add', state: '2' }],
      { batches: 2, works: 2, failed: 1 },
    ]);
    const audit = await reader.database.selectFrom('state_audit').select('change').execute();
    expect(audit.map(({ change }) => (JSON.parse(change) as { after: number }).after)).toEqual([1, 2]);
  });

  it('finds one bad work among many in few transactions', async () => {
    const sums = new Sums();
    const state = writer();
    const works = Array.from({ length: 512 }, async (_, n) => await state.run(sums, ['a', n === 300 ? NaN : 1]));
    const results = await Promise.allSettled(works);
    expect(results.filter(({ status }) => status === 'rejected').length).toBe(1);
    expect(results[300]?.status).toBe('rejected');
    expect(await positions()).toEqual([{ stream: 'a', position: 511 }]);
    expect(sums.batches.length).toBeLessThan(20);
  });

  it('does not try one by one what the disk refuses', async () => {
    const sums = new Sums();
    const state = writer();
    const results = await Promise.allSettled([state.run(sums, ['a', 1]), state.run(sums, ['b', Infinity])]);
    for (const result of results) expect(result).toMatchObject({ status: 'rejected', reason: { code: 'data.unwritable' } });
    expect([sums.batches, await positions()]).toEqual([[2], []]);
  });

  it('takes no more than it may keep waiting, and nothing once it ends; what waits then is written', async () => {
    const sums = new Sums();
    const state = writer(2);
    const taken = [state.run(sums, ['a', 1]), state.run(sums, ['a', 2])];
    await expect(state.run(sums, ['a', 3])).rejects.toMatchObject({ code: 'state.busy', retryable: true });
    await state[Symbol.asyncDispose]();
    expect(await Promise.all(taken)).toEqual([1, 3]);
    await expect(state.run(sums, ['a', 4])).rejects.toMatchObject({ code: 'state.busy' });
  });
});
