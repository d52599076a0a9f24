import { copyFileSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ChunkReader } from '../telemetry/chunk-reader.ts';
import { DAY_MS } from '../telemetry/day-file-schema.ts';
import { OPERATOR, RetentionHarness } from './retention.fixture.ts';

let retention: RetentionHarness;
beforeEach(async () => {
  retention = await RetentionHarness.open();
});
afterEach(async () => await retention[Symbol.asyncDispose]());

describe('whoever reads meanwhile', () => {
  test('reads on in a file that is dropped, and gives it back once it hears of it', async () => {
    const { today } = retention;
    retention.append('a', today - 10, { t: 1 }, 10);
    retention.settle();
    using reader = new ChunkReader({ telemetryDir: retention.store.dir });
    const [series] = [...retention.store.writer.devices.all()][0]!.series;
    const points = (): number => reader.page(today - 10, series!, 0, 1e15, 10).reduce((sum, { count }) => sum + count, 0);
    reader.refresh(1);
    expect(points()).toBe(10);
    await retention.runner.run();
    expect(points()).toBe(10);
    reader.closeGone();
    expect(points()).toBe(0);
    // What comes later is another file: nobody has anything of it mixed up.
    retention.append('a', today - 10, { t: 5 }, 3);
    retention.settle();
    expect(points()).toBe(3);
  });

  test('finds what was kept where a copy has taken the place of a file', async () => {
    const { today } = retention;
    await retention.policies.put({ name: 'kept', metric: 'kept', keepDays: { raw: 365 } }, OPERATOR);
    retention.append('a', today - 10, { kept: 1, gone: 2 }, 10);
    retention.settle();
    using reader = new ChunkReader({ telemetryDir: retention.store.dir });
    const { series, names } = [...retention.store.writer.devices.all()][0]!;
    const points = (metric: string): number =>
      reader.page(today - 10, series[names.indexOf(metric)]!, 0, 1e15, 10).reduce((sum, { count }) => sum + count, 0);
    reader.refresh(1);
    expect([points('kept'), points('gone')]).toEqual([10, 10]);
    await retention.runner.run();
    reader.refresh(2);
    expect([points('kept'), points('gone')]).toEqual([10, 0]);
    using late = new ChunkReader({ telemetryDir: retention.store.dir });
    expect(late.page(today - 10, series[names.indexOf('kept')]!, 0, 1e15, 10)).toHaveLength(1);
  });
});

describe('after a kill', () => {
  async function thinned(): Promise<{ before: string; after: string }> {
    await retention.policies.put({ name: 'kept', metric: 'kept', keepDays: { raw: 365 } }, OPERATOR);
    retention.append('a', retention.today - 10, { kept: 1, gone: 2 }, 10);
    retention.settle();
    const [before] = retention.files;
    copyFileSync(join(retention.store.dir, before!), join(retention.store.dir, 'before'));
    await retention.runner.run();
    return { before: before!, after: retention.files[0]! };
  }

  test('between a copy taking the place of a file and the end of that file, the copy counts', async () => {
    const { before, after } = await thinned();
    expect(after).not.toBe(before);
    copyFileSync(join(retention.store.dir, 'before'), join(retention.store.dir, before));
    await retention.crash();
    expect(retention.stored).toEqual({ 'a kept': [-10] });
    expect(retention.files.filter((name) => name.startsWith('days'))).toEqual([after]);
  });

  test('what is left beside a file that is gone, and of a copy that was not finished, is removed', async () => {
    const { before } = await thinned();
    const { dir } = retention.store;
    writeFileSync(join(dir, `${before}-wal`), 'frames of before');
    mkdirSync(join(dir, 'aside'), { recursive: true });
    writeFileSync(join(dir, 'aside', '1.db'), 'half of it');
    await retention.crash();
    retention.runner.start();
    expect(existsSync(join(retention.store.dir, `${before}-wal`))).toBe(false);
    expect(readdirSync(join(retention.store.dir, 'aside'))).toEqual([]);
  });

  test('points that were read from the log again do not count twice', async () => {
    const { today, store } = retention;
    retention.append('a', today - 10, { t: 1 }, 10);
    retention.settle();
    await retention.runner.run();
    for (let life = 0; life < 3; life++) {
      await retention.crash();
      retention.settle();
      await retention.runner.run();
      expect(retention.rolledUp()).toBe(10);
      expect(store.chunks()).toEqual([]);
    }
  });

  test('marks of what was kept speak of no later commit than they did: nothing of it is passed over when the log is read again', async () => {
    const { today, store, log } = retention;
    const day = today - 10;
    await retention.policies.put({ name: 'kept', metric: 'kept*', keepDays: { raw: 365 } }, OPERATOR);
    // Some commits, so that the marks speak of one with a high number.
    for (const n of [1, 2, 3, 4]) {
      log.append(0, store.clock.now(), [['a', { ts: day * DAY_MS + n, values: { kept: n, kept2: n, gone: n } }]]);
      store.consume();
      store.seal();
    }
    retention.settle();
    await retention.runner.run();
    expect(Object.keys(retention.stored)).toEqual(['a kept', 'a kept2']);
    // One series waits in memory, while the other is committed again and again.
    log.append(0, store.clock.now(), [['a', { ts: day * DAY_MS + 5, values: { kept: 5 } }]]);
    store.consume();
    const { series, names } = [...store.writer.devices.all()][0]!;
    const other = series[names.indexOf('kept2')]!;
    for (const n of [6, 7, 8, 9, 10, 11]) {
      log.append(0, store.clock.now(), [['a', { ts: day * DAY_MS + n, values: { kept2: n } }]]);
      store.consume();
      for (const buffer of store.writer.memtable.buffersOf(other)) store.writer.memtable.makeDue(buffer);
      store.writer.seal();
    }
    await retention.crash();
    expect(retention.store.stored()['a']?.['kept']?.map(([, value]) => value)).toEqual([1, 2, 3, 4, 5]);
  });
});
