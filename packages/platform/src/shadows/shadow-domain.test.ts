import { afterEach, beforeEach, expect, test } from 'vitest';
import { updateRule } from './shadow-rule-kinds.ts';
import { LINK, openTestShadows, type Published, type TestShadows } from './shadows.fixture.ts';

const P = '$aws/things/T/shadow';
/** Of the clock of the tests, seconds. */
const NOW = 1_700_000_000;

let shadows: TestShadows;
beforeEach(async () => {
  shadows = await openTestShadows();
});
afterEach(async () => await shadows[Symbol.asyncDispose]());

const update = async (state: unknown, more: object = {}) => await shadows.send(`${P}/update`, { state, ...more });
const bodyOf = (published: readonly Published[], topic: string) => published.find((message) => message.topic === topic)?.body;

test('an update is answered with its delta first, then accepted, then documents: one version, the token in each', async () => {
  await update({ desired: { color: 'GREEN' }, reported: { color: 'GREEN', engine: 'ON' } });
  shadows.clock.advance(10_000);
  const published = await update({ desired: { color: 'RED' }, reported: { engine: null } }, { version: 1, clientToken: 't1' });
  const stamp = { timestamp: NOW + 10 };
  expect(published).toEqual([
    {
      topic: `${P}/update/delta`,
      to: undefined,
      body: { state: { color: 'RED' }, metadata: { color: stamp }, version: 2, timestamp: NOW + 10, clientToken: 't1' },
    },
    {
      topic: `${P}/update/accepted`,
      to: undefined,
      body: {
        state: { desired: { color: 'RED' } },
        metadata: { desired: { color: stamp } },
        version: 2,
        timestamp: NOW + 10,
        clientToken: 't1',
      },
    },
    {
      topic: `${P}/update/documents`,
      to: undefined,
      body: {
        previous: {
          state: { desired: { color: 'GREEN' }, reported: { color: 'GREEN', engine: 'ON' } },
          metadata: {
            desired: { color: { timestamp: NOW } },
            reported: { color: { timestamp: NOW }, engine: { timestamp: NOW } },
          },
          version: 1,
        },
        current: {
          state: { desired: { color: 'RED' }, reported: { color: 'GREEN' } },
          metadata: { desired: { color: stamp }, reported: { color: { timestamp: NOW } } },
          version: 2,
        },
        timestamp: NOW + 10,
        clientToken: 't1',
      },
    },
  ]);
});

test('the first version is 1, with nothing before it; no delta where nothing differs', async () => {
  const published = await update({ reported: { a: 1 } });
  expect(published.map((message) => message.topic)).toEqual([`${P}/update/accepted`, `${P}/update/documents`]);
  expect(bodyOf(published, `${P}/update/documents`)).toMatchObject({ previous: null, current: { version: 1 } });
  expect(bodyOf(published, `${P}/update/accepted`)).not.toHaveProperty('clientToken');
});

test('a delta is published as long as there is one, whoever writes what', async () => {
  await update({ desired: { a: 1, b: { c: 1, d: 2 } } });
  const published = await update({ reported: { b: { c: 1 }, e: 5 } });
  expect(bodyOf(published, `${P}/update/delta`)).toMatchObject({ state: { a: 1, b: { d: 2 } }, version: 2 });
  const last = await update({ reported: { a: 1, b: { d: 2 } } });
  expect(bodyOf(last, `${P}/update/delta`)).toBeUndefined();
});

test('get shows everything, with the delta; metadata of arrays stands at their elements', async () => {
  await update({ desired: { list: [1, { a: 'x' }, [2]], keep: 1 }, reported: { keep: 1, empty: [] } });
  expect(await shadows.send(`${P}/get`, { clientToken: 't2', version: 99 })).toEqual([
    {
      topic: `${P}/get/accepted`,
      to: undefined,
      body: {
        state: {
          desired: { list: [1, { a: 'x' }, [2]], keep: 1 },
          reported: { keep: 1, empty: [] },
          delta: { list: [1, { a: 'x' }, [2]] },
        },
        metadata: {
          desired: {
            list: [{ timestamp: NOW }, { a: { timestamp: NOW } }, [{ timestamp: NOW }]],
            keep: { timestamp: NOW },
          },
          reported: { keep: { timestamp: NOW }, empty: [] },
        },
        version: 1,
        timestamp: NOW,
        clientToken: 't2',
      },
    },
  ]);
  expect((await shadows.send(`${P}/get`))[0]?.body).not.toHaveProperty('clientToken');
});

test('null empties sections, and leaves the shadow', async () => {
  await update({ desired: { a: 1 }, reported: { a: 2 } });
  await update({ desired: null });
  expect((await shadows.send(`${P}/get`))[0]?.body).toMatchObject({ state: { reported: { a: 2 } }, version: 2 });
  const cleared = await update(null);
  expect(bodyOf(cleared, `${P}/update/accepted`)).toEqual({ state: {}, metadata: {}, version: 3, timestamp: NOW });
  expect((await shadows.send(`${P}/get`))[0]?.body).toEqual({ state: {}, metadata: {}, version: 3, timestamp: NOW });
});

test('a version that is not the current one is refused, and changes nothing', async () => {
  await update({ desired: { a: 1 } });
  const published = await update({ desired: { a: 2 } }, { version: 5, clientToken: 't1' });
  const rejected = { code: 409, message: 'Version conflict', timestamp: NOW, clientToken: 't1' };
  expect(published).toEqual([{ topic: `${P}/update/rejected`, to: undefined, body: rejected }]);
  expect((await shadows.store.find({ device: 'T', shadow: '' }))?.version).toBe(1);
  expect(await update({ desired: { a: 2 } }, { version: 1 })).toHaveLength(3);
});

test('a deletion has a version and the token; the next shadow goes on after it, for 48 hours', async () => {
  await update({ desired: { a: 1 } });
  expect(await shadows.send(`${P}/delete`, { clientToken: 't3', version: 77 })).toEqual([
    { topic: `${P}/delete/accepted`, to: undefined, body: { version: 2, timestamp: NOW, clientToken: 't3' } },
  ]);
  expect((await shadows.send(`${P}/get`, { clientToken: 't' }))[0]).toMatchObject({
    topic: `${P}/get/rejected`,
    body: { code: 404, message: 'No shadow exists with name: T', clientToken: 't' },
  });
  expect((await shadows.send(`${P}/delete`, { clientToken: 't' }))[0]).toMatchObject({
    topic: `${P}/delete/rejected`,
    body: { code: 404 },
  });
  await shadows.restart();
  shadows.clock.advance(1_000);
  const again = await update({ desired: { b: 1 } });
  expect(bodyOf(again, `${P}/update/documents`)).toMatchObject({
    previous: null,
    current: { state: { desired: { b: 1 } }, version: 3 },
  });

  expect((await shadows.store.find({ device: 'T', shadow: '' }))?.createdAtMs).toBe(shadows.clock.now());

  await shadows.send(`${P}/delete`);
  shadows.clock.advance(48 * 3_600_000 - 1);
  await shadows.domain.run({ kind: 'sweep' });
  expect(bodyOf(await update({}), `${P}/update/accepted`)).toMatchObject({ version: 5 });
  await shadows.send(`${P}/delete`);
  shadows.clock.advance(48 * 3_600_000);
  await shadows.domain.run({ kind: 'sweep' });
  expect(bodyOf(await update({}), `${P}/update/accepted`)).toMatchObject({ version: 1 });
});

test('named shadows are their own; a name that is not there is named', async () => {
  await update({ desired: { a: 1 } });
  await shadows.send(`${P}/name/n/update`, { state: { reported: { b: 1 } } });
  expect((await shadows.send(`${P}/name/n/get`))[0]?.body).toMatchObject({ state: { reported: { b: 1 } }, version: 1 });
  expect((await shadows.send(`${P}/name/other/get`))[0]?.body).toMatchObject({ message: 'No shadow exists with name: other' });
  expect((await shadows.store.list('T', { limit: 10 })).map((each) => each.shadow)).toEqual(['', 'n']);
  expect((await shadows.store.list('T', { limit: 1, after: '' })).map((each) => each.shadow)).toEqual(['n']);
});

test('a thing that is not there has no shadows', async () => {
  const topic = '$aws/things/nobody/shadow';
  for (const operation of ['get', 'update', 'delete']) {
    const [message] = await shadows.send(`${topic}/${operation}`, { state: {}, clientToken: 't' });
    expect(message).toMatchObject({
      topic: `${topic}/${operation}/rejected`,
      body: { code: 404, message: 'Thing not found', clientToken: 't' },
    });
  }
  await using open = await openTestShadows({ open: true });
  expect((await open.send(`${topic}/update`, { state: {} }))[0]?.topic).toBe(`${topic}/update/accepted`);
});

test('a request that is none is refused with its token, and a topic that is none is left to others', async () => {
  expect(await update(7, { clientToken: 't' })).toEqual([
    {
      topic: `${P}/update/rejected`,
      to: undefined,
      body: { code: 400, message: 'State node must be an object', timestamp: NOW, clientToken: 't' },
    },
  ]);
  const request = { topic: `${P}/update/accepted`, payload: new Uint8Array(), clientId: 'T', principalId: 'T', from: LINK };
  expect(shadows.domain.request(request)).toBeUndefined();
});

test('a document of 8 KB is large enough; more is refused, and taking away is not', async () => {
  const half = 'x'.repeat(4_000);
  await update({ desired: { a: half }, reported: { a: half } });
  const rejected = await update({ reported: { b: 'x'.repeat(500) } });
  expect(rejected[0]?.body).toMatchObject({ code: 413, message: 'The payload exceeds the maximum size allowed' });
  expect((await update({ reported: { a: null } }))[0]?.topic).toBe(`${P}/update/delta`);
});

test('updates of one batch see each other: none is lost', async () => {
  const writers = Array.from({ length: 20 }, (_, index) => update({ desired: { [`k${index}`]: index } }));
  await Promise.all(writers);
  const document = await shadows.store.find({ device: 'T', shadow: '' });
  expect(document?.version).toBe(20);
  expect(Object.keys(document?.desired ?? {})).toHaveLength(20);
  expect(shadows.writer.counters.batches).toBe(1);
});

test('of two that expect the same version in one batch, one is refused', async () => {
  await update({ desired: { a: 1 } });
  const change = (value: number) =>
    shadows.domain.run({
      kind: 'change',
      device: 'T',
      shadow: '',
      rule: updateRule({ desired: { a: value } }),
      author: 'user:x',
      expectedVersion: 1,
    });
  const results = await Promise.all([change(2), change(3)]);
  expect(results.map((result) => result.kind)).toEqual(['put', 'refused']);
  expect(results[1]).toMatchObject({ fault: { code: 409 }, version: 2 });
});

test('a batch that fails leaves nothing behind, neither in memory nor of its ids', async () => {
  await update({ desired: { a: 1 } });
  const broken = shadows.domain.run({
    kind: 'change',
    device: 'other',
    shadow: '',
    author: 'system:x',
    rule: () => {
      throw new Error('a bug');
    },
  });
  const good = update({ desired: { a: 2 } });
  await expect(broken).rejects.toThrow('a bug');
  expect(bodyOf(await good, `${P}/update/documents`)).toMatchObject({ previous: { version: 1 }, current: { version: 2 } });
  expect((await shadows.send(`${P}/get`))[0]?.body).toMatchObject({ version: 2, state: { desired: { a: 2 } } });
  const history = await shadows.store.history({ device: 'T', shadow: '' }, { limit: 10 });
  expect(history.map((entry) => entry.version)).toEqual([2, 1]);
  expect(await shadows.store.find({ device: 'other', shadow: '' })).toBeUndefined();
});

test('who watches a device is told of its shadows, and nobody else', async () => {
  await update({ desired: { a: 1 } });
  shadows.watched.add('T');
  await update({ desired: { a: 2 } });
  await shadows.send(`${P}/delete`);
  expect(shadows.events).toMatchObject([
    { kind: 'shadow', device: 'T', shadow: '', version: 2, change: 'updated' },
    { kind: 'shadow', device: 'T', shadow: '', version: 3, change: 'deleted', documents: undefined },
  ]);
  const [event] = shadows.events;
  expect(JSON.parse(event?.kind === 'shadow' ? (event.documents ?? '') : '')).toMatchObject({ previous: { version: 1 } });
});

test('a device that was removed takes its shadows along, with their history and versions', async () => {
  await update({ desired: { a: 1 } });
  await update({ desired: { a: 2 } });
  await shadows.send(`${P}/name/n/update`, { state: {} });
  await shadows.send('$aws/things/other/shadow/update', { state: {} }, 'other');
  await shadows.database.transaction().execute(async (transaction) => {
    const atMs = shadows.clock.now();
    await shadows.domain.registryChanged(
      [
        { sequence: 1, device: 'T', kind: 'removed', atMs },
        { sequence: 2, device: 'other', kind: 'put', atMs },
      ],
      {
        transaction,
        nowMs: atMs,
        publish() {},
        audit() {},
        isWatched: () => false,
        tell() {},
        afterCommit() {},
        onRollback() {},
      },
    );
  });
  expect(await shadows.store.list('T', { limit: 10 })).toEqual([]);
  expect(await shadows.store.list('other', { limit: 10 })).toHaveLength(1);
  expect(await shadows.database.selectFrom('shadow_history').selectAll().execute()).toHaveLength(1);
  expect(bodyOf(await update({}), `${P}/update/accepted`)).toMatchObject({ version: 1 });
});
