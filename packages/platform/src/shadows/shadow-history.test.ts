import { afterEach, beforeEach, expect, test } from 'vitest';
import { openTestShadows, type TestShadows } from './shadows.fixture.ts';

const T = { device: 'T', shadow: '' };
const HOUR = 3_600_000;

let shadows: TestShadows;
beforeEach(async () => {
  shadows = await openTestShadows({ history: { maxAgeMs: 10 * HOUR, maxRows: 6 } });
});
afterEach(async () => await shadows[Symbol.asyncDispose]());

const write = async (value: unknown, thing = 'T') =>
  await shadows.send(`$aws/things/${thing}/shadow/update`, { state: { desired: { a: value } } }, thing);
const versions = async (key = T) => (await shadows.store.history(key, { limit: 100 })).map((entry) => entry.version);

test('the history says who wrote what when, the newest first, page by page, over a deletion', async () => {
  await write(1);
  await write(5, 'other');
  await shadows.send('$aws/things/T/shadow/delete');
  shadows.clock.advance(1_000);
  await write(null);
  const entries = await shadows.store.history(T, { limit: 10 });
  const now = shadows.clock.now();
  expect(entries).toMatchObject([
    { version: 3, atMs: now, author: 'device:T', kind: 'updated', change: { desired: { a: null } } },
    { version: 2, atMs: now - 1_000, kind: 'deleted', change: {} },
    { version: 1, kind: 'updated', change: { desired: { a: 1 } } },
  ]);
  const first = await shadows.store.history(T, { limit: 2 });
  const rest = await shadows.store.history(T, { limit: 2, cursor: first[1]?.cursor });
  expect(rest.map((entry) => entry.version)).toEqual([1]);
  expect(await shadows.store.history(T, { limit: 2, cursor: rest[0]?.cursor })).toEqual([]);
  await expect(shadows.store.history(T, { limit: 2, cursor: 'x' })).rejects.toMatchObject({ code: 'request.invalid' });
  expect(await shadows.store.history({ device: 'T', shadow: 'none' }, { limit: 2 })).toEqual([]);
});

test('it tells a program that published for a device from the device', async () => {
  await shadows.send('$aws/things/T/shadow/update', { state: { desired: { a: 1 } } }, 'access-key/K');
  expect(await shadows.store.history(T, { limit: 1 })).toMatchObject([{ author: 'access-key:K' }]);
});

test('it is bounded by its rows and by its age, and goes on where it was swept empty', async () => {
  for (let round = 0; round < 8; round++) await write(round);
  await shadows.domain.run({ kind: 'sweep' });
  expect(await versions()).toEqual([8, 7, 6, 5, 4, 3]);
  shadows.clock.advance(11 * HOUR);
  await write(9);
  await shadows.domain.run({ kind: 'sweep' });
  expect(await versions()).toEqual([9]);
  shadows.clock.advance(11 * HOUR);
  await shadows.domain.run({ kind: 'sweep' });
  await shadows.restart();
  await write(10);
  expect(await versions()).toEqual([10, 9]);
  await shadows.domain.run({ kind: 'sweep' });
  expect(await versions()).toEqual([10]);
});

test('a sweep takes a bounded step, and the next one goes on', async () => {
  await using many = await openTestShadows({ history: { maxAgeMs: HOUR, maxRows: 100_000 } });
  for (let round = 0; round < 3; round++) {
    await Promise.all(Array.from({ length: 500 }, () => many.request('$aws/things/T/shadow/update', { state: {} })));
  }
  many.clock.advance(2 * HOUR);
  const counts = [];
  for (let round = 0; round < 3; round++) counts.push(await many.domain.run({ kind: 'sweep' }));
  expect(counts).toEqual([1_000, 499, 0].map((count) => ({ kind: 'done', count })));
});
