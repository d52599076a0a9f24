import { join } from 'node:path';
import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { silentLogLines } from '../kernel/log-lines.ts';
import { OPERATOR, RetentionHarness } from '../retention/retention.fixture.ts';
import { openArchiveUpkeep } from './archive-services.ts';
import type { Config } from './config-schema.ts';
import type { DataPaths } from './data-folder.ts';

test('nothing of a device is erased that a hold covers by the time at which it would be', async () => {
  await using retention = await RetentionHarness.open();
  const { store, registry, holds } = retention;
  await retention.device('a');
  retention.append('a', retention.today - 1, { t: 1 });
  retention.settle();
  await using upkeep = await openArchiveUpkeep({
    // Only what is asked of them.
    config: { archive: { target: 'off' } } as Config,
    paths: { archive: join(store.dir, 'archive'), telemetry: store.dir } as DataPaths,
    registry: registry.database,
    store: retention.caller,
    clock: store.clock,
    metrics: new Registry(),
    logLines: silentLogLines,
  });
  const erase = async () => await upkeep.calls.beginErasure({ device: 'a', reason: 'requested', requestedBy: 'officer' });
  // Whoever asked for the erasure has looked before the hold was made.
  const hold = await holds.create({ kind: 'device', device: 'a' }, 'a case', OPERATOR);
  await expect(erase()).rejects.toMatchObject({ code: 'hold.active' });
  expect(retention.stored).toEqual({ 'a t': [-1] });
  expect(upkeep.calls.erasures({ limit: 10 })).toEqual([]);
  await holds.release(hold.id, OPERATOR);
  expect(await erase()).toMatchObject({ device: 'a', state: 'hidden' });
  expect(retention.stored).toEqual({});
});
