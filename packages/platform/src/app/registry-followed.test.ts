import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemActor } from '../audit/actor.ts';
import { silentLogLines } from '../kernel/log-lines.ts';
import { readRegistryStream } from '../registry/registry-stream.ts';
import { openTestRegistry, type TestRegistry } from '../registry/registry.fixture.ts';
import { RegistryFollowed } from './registry-followed.ts';

let registry: TestRegistry;
beforeEach(async () => void (registry = await openTestRegistry()));
afterEach(async () => await registry[Symbol.asyncDispose]());

test('what was followed is taken away by itself, but for the last of it, however much it is', async () => {
  const { database, clock } = registry;
  const rows = Array.from({ length: 12_000 }, (_, n) => ({ kind: 'put' as const, subject: `d${n}`, moved_to: null, at_ms: 1 }));
  for (let start = 0; start < rows.length; start += 1_000)
    await database
      .insertInto('registry_change')
      .values(rows.slice(start, start + 1_000))
      .execute();
  let fails = true;
  const call = async (): Promise<number> => {
    if (fails) throw new Error('the state is busy');
    return 11_990;
  };
  await using followed = new RegistryFollowed({ state: { call } as never, database, clock, logLines: silentLogLines });
  followed.start();
  clock.advance(60_000);
  fails = false;
  const left = async () => (await readRegistryStream(database, 0, 20_000)).map(({ sequence }) => sequence);
  await expect
    .poll(async () => {
      clock.advance(60_000);
      return (await left()).length;
    })
    .toBe(11);
  expect((await left())[0]).toBe(11_990);
  // Numbers go on, also where all were taken away.
  await registry.devices.create({ id: 'x' as never }, systemActor('test'));
  expect((await left()).at(-1)).toBe(12_001);
});
