import { expect, test } from 'vitest';
import { actor, KEY, openCloud, START_MS, sync, update, type Cloud } from './cloud.fixture.ts';
import { ConflictStore, MAX_KEPT } from './conflict-store.ts';
import { EdgeReplica } from './edge-replica.fixture.ts';
import { ANY } from './merge-policy-store.ts';

test('an edge and the cloud that wrote different fields have all of them afterwards, and nobody is told of a conflict', async () => {
  await using cloud = await openCloud();
  const edge = new EdgeReplica('gw-1');
  await update(cloud, 'desired', ['color'], 'red');
  await sync(cloud, edge);
  edge.write('reported', ['color'], 'red', 1_001);
  edge.write('reported', ['fan', 'speed'], [1, 2], 1_002);
  await update(cloud, 'desired', ['mode'], 'auto');
  const { document, conflicts } = await sync(cloud, edge);
  expect(conflicts).toEqual([]);
  expect(document).toMatchObject({
    version: 3,
    desired: { color: 'red', mode: 'auto' },
    reported: { color: 'red', fan: { speed: [1, 2] } },
    stamps: { desired: { color: [1000, 1] }, reported: { color: [1000, 1, 'gw-1'], fan: { speed: [1000, 2, 'gw-1'] } } },
    clock: { 'gw-1': 2 },
  });
  expect(edge.document).toEqual(await cloud.document());
  // The device that is connected here is told of it as of any update.
  const topics = cloud.published.slice(-3).map(({ topic }) => topic);
  expect(topics).toEqual(['update/delta', 'update/accepted', 'update/documents'].map((end) => `$aws/things/pump7/shadow/${end}`));
  const accepted = JSON.parse(Buffer.from(cloud.published.at(-2)!.payload).toString()) as unknown;
  expect(accepted).toMatchObject({ version: 3, state: { reported: { color: 'red', fan: { speed: [1, 2] } } } });
});

test('an edge that has nothing new changes nothing, however often it asks', async () => {
  await using cloud = await openCloud();
  const edge = new EdgeReplica('gw-1');
  edge.write('reported', ['a'], 1, 10);
  const first = await sync(cloud, edge);
  for (let i = 0; i < 3; i++) expect(await sync(cloud, edge)).toEqual({ document: first.document, conflicts: [] });
  expect(first.document.version).toBe(1);
});

test('what an edge has taken away is gone, what it never saw stays', async () => {
  await using cloud = await openCloud();
  const edge = new EdgeReplica('gw-1');
  await update(cloud, 'desired', ['a'], 1);
  await sync(cloud, edge);
  edge.write('desired', ['a'], undefined, 1_001);
  edge.write('reported', ['x'], 1, 1_001);
  await update(cloud, 'desired', ['b'], 2);
  await sync(cloud, edge);
  expect(await cloud.document()).toEqual({ desired: { b: 2 }, reported: { x: 1 } });
  edge.write('reported', ['x'], undefined, 1_002);
  await sync(cloud, edge);
  expect(await cloud.document()).toEqual({ desired: { b: 2 }, reported: undefined });
});

/** The same field written on both sides; the edge later. */
async function apart(cloud: Cloud, edge: EdgeReplica): Promise<void> {
  await update(cloud, 'desired', ['mode'], 'eco');
  await sync(cloud, edge);
  cloud.clock.advance(10_000);
  await update(cloud, 'desired', ['mode'], 'auto');
  cloud.clock.advance(10_000);
  edge.write('desired', ['mode'], 'off', 1_015);
}

test.each([
  ['last-write', 'off', 'theirs'],
  ['desired-wins', 'auto', 'ours'],
  ['reported-wins', 'off', 'theirs'],
] as const)(
  'by %s the same field, written on both sides, is %s, and the conflict is told and kept',
  async (policy, value, chosen) => {
    await using cloud = await openCloud();
    const edge = new EdgeReplica('gw-1');
    await apart(cloud, edge);
    await cloud.replicas.putMergePolicy({ deviceType: 'pump', shadow: ANY, policy, actor });
    const { document, conflicts } = await sync(cloud, edge, policy);
    expect(conflicts).toEqual([
      {
        section: 'desired',
        path: '/mode',
        ours: { value: 'auto', timestamp: 1010, replica: 'cloud' },
        theirs: { value: 'off', timestamp: 1015, replica: 'gw-1' },
        chosen,
        by: policy,
      },
    ]);
    expect([document.desired, edge.document, document.version]).toEqual([
      { mode: value },
      { desired: { mode: value }, reported: undefined },
      3,
    ]);
    const kept = await new ConflictStore(cloud.database).list(KEY, { limit: 10 });
    expect(kept).toMatchObject([{ version: 3, atMs: START_MS + 20_000, replica: 'gw-1', conflicts }]);
    expect((await sync(cloud, edge, policy)).conflicts).toEqual([]);
  },
);

test('by reported-wins what was set on the spot is desired from then on', async () => {
  await using cloud = await openCloud();
  const edge = new EdgeReplica('gw-1');
  await cloud.replicas.putMergePolicy({ deviceType: ANY, shadow: '', policy: 'reported-wins', actor });
  await update(cloud, 'desired', ['target'], 20);
  await sync(cloud, edge);
  edge.write('reported', ['target'], 20, 1_000);
  await sync(cloud, edge);
  edge.write('reported', ['target'], 23, 1_000);
  await update(cloud, 'desired', ['target'], 18);
  const { document, conflicts } = await sync(cloud, edge, 'reported-wins');
  expect(document).toMatchObject({ desired: { target: 23 }, reported: { target: 23 } });
  expect(conflicts).toMatchObject([
    { section: 'desired', path: '/target', ours: { value: 18 }, theirs: { value: 23 }, chosen: 'theirs' },
  ]);
  expect(edge.document).toEqual(await cloud.document());
  // What the edge knew when it reported is no conflict: the device is only not there yet.
  await update(cloud, 'desired', ['target'], 25);
  await sync(cloud, edge);
  edge.write('reported', ['target'], 24, 1_000);
  expect((await sync(cloud, edge)).document).toMatchObject({ desired: { target: 25 }, reported: { target: 24 } });
});

const SCRIPT = `
function merge({ section, path, ours, theirs }) {
  if (path[0] === 'total') return Math.max(ours.value, theirs.value) + 1;
  if (path[0] === 'list') return [...ours.value, ...theirs.value];
  if (path[0] === 'gone') return null;
  if (path[0] === 'same') return theirs.value;
  if (path[0] === 'bad') return [null];
}`;

test('a script says what becomes of each field', async () => {
  await using cloud = await openCloud();
  const edge = new EdgeReplica('gw-1');
  await cloud.replicas.putMergePolicy({ deviceType: 'pump', shadow: '', policy: 'custom', script: SCRIPT, actor });
  const both = { total: [5, 3], list: [['a'], ['b']], gone: [1, 2], same: ['x', 'y'], other: [1, 2] } as const;
  for (const [key, [ours, theirs]] of Object.entries(both)) {
    await update(cloud, 'reported', [key], ours);
    edge.write('reported', [key], theirs, 900);
  }
  const { document, conflicts } = await sync(cloud, edge, 'custom');
  expect(document.reported).toEqual({ total: 6, list: ['a', 'b'], same: 'y', other: 1 });
  expect(conflicts.map(({ path, chosen, by, value }) => [path, chosen, by, value])).toEqual([
    ['/total', 'merged', 'custom', 6],
    ['/list', 'merged', 'custom', ['a', 'b']],
    ['/gone', 'merged', 'custom', undefined],
    ['/same', 'theirs', 'custom', undefined],
    ['/other', 'ours', 'last-write', undefined],
  ]);
  expect(edge.document).toEqual(await cloud.document());
  expect(await sync(cloud, edge, 'custom')).toEqual({ document, conflicts: [] });
});

test.each([
  ['fails', 'function merge() {\n  throw new Error("no idea") }', 'no idea at line 2'],
  ['does not end', 'function merge() { for (;;); }', 'too long'],
  ['returns what no shadow can have', 'function merge() { return [null] }', 'invalid node'],
])('a script that %s does not keep anybody apart: the later write counts, and the fault is told', async (_, script, fault) => {
  await using cloud = await openCloud();
  const edge = new EdgeReplica('gw-1');
  await cloud.replicas.putMergePolicy({ deviceType: 'pump', shadow: '', policy: 'custom', script, actor });
  await apart(cloud, edge);
  const { conflicts } = await sync(cloud, edge, 'custom');
  expect(conflicts).toMatchObject([{ path: '/mode', chosen: 'theirs', by: 'last-write', fault: expect.stringContaining(fault) }]);
  expect(edge.document.desired).toEqual({ mode: 'off' });
});

test('a policy that is none is refused, the narrowest one counts, and one that is taken away counts no more', async () => {
  await using cloud = await openCloud();
  const put = cloud.replicas.putMergePolicy;
  await expect(put({ deviceType: ANY, shadow: ANY, policy: 'custom', actor })).rejects.toMatchObject({ code: 'request.invalid' });
  await expect(put({ deviceType: ANY, shadow: ANY, policy: 'last-write', script: SCRIPT, actor })).rejects.toMatchObject({
    code: 'request.invalid',
  });
  for (const script of ['function merge( {', 'let merge = 1', 'function other() {}']) {
    await expect(put({ deviceType: ANY, shadow: ANY, policy: 'custom', script, actor })).rejects.toMatchObject({
      code: 'script.invalid',
    });
  }
  await put({ deviceType: ANY, shadow: ANY, policy: 'reported-wins', actor });
  await put({ deviceType: 'pump', shadow: ANY, policy: 'last-write', actor });
  await put({ deviceType: 'pump', shadow: '', policy: 'desired-wins', actor });
  await put({ deviceType: 'boiler', shadow: '', policy: 'reported-wins', actor });
  const decidedBy = async (): Promise<string | undefined> => {
    const edge = new EdgeReplica(`gw-${cloud.clock.now()}`);
    await apart(cloud, edge);
    return (await sync(cloud, edge)).conflicts[0]?.by;
  };
  expect(await decidedBy()).toBe('desired-wins');
  expect(await cloud.replicas.removeMergePolicy({ deviceType: 'pump', shadow: '', actor })).toBe(true);
  expect(await cloud.replicas.removeMergePolicy({ deviceType: 'pump', shadow: '', actor })).toBe(false);
  expect(await decidedBy()).toBe('last-write');
  await cloud.replicas.removeMergePolicy({ deviceType: 'pump', shadow: ANY, actor });
  expect(await decidedBy()).toBe('reported-wins');
});

test('a clock that is fast does not win for ever', async () => {
  await using cloud = await openCloud();
  const edge = new EdgeReplica('gw-1');
  edge.write('reported', ['a'], 'edge', 9_999_999);
  await sync(cloud, edge);
  const other = new EdgeReplica('gw-2');
  other.write('reported', ['a'], 'other', 1_001);
  cloud.clock.advance(5_000);
  expect((await sync(cloud, other)).document.reported).toEqual({ a: 'other' });
});

test('an edge that counts again what it had counted is refused, and told from where to go on', async () => {
  await using cloud = await openCloud();
  const edge = new EdgeReplica('gw-1');
  for (const value of [1, 2, 3]) edge.write('reported', ['a'], value, 1_000);
  await sync(cloud, edge);
  const again = new EdgeReplica('gw-1');
  again.write('reported', ['a'], 4, 1_000);
  await expect(sync(cloud, again)).rejects.toMatchObject({ code: 'shadow.conflict', details: { replica: 'gw-1', counter: 3 } });
});

test('what an edge had of a shadow that was deleted does not come back; what it wrote itself does', async () => {
  await using cloud = await openCloud();
  const edge = new EdgeReplica('gw-1');
  await update(cloud, 'desired', ['secret'], 1);
  edge.write('reported', ['own'], 1, 1_000);
  await sync(cloud, edge);
  await cloud.shadows.deleteShadow({ ...KEY, actor });
  cloud.clock.advance(1);
  const nothing = new EdgeReplica('gw-2');
  await expect(sync(cloud, nothing)).rejects.toMatchObject({ code: 'shadow.not-found' });
  await sync(cloud, edge);
  expect(await cloud.document()).toEqual({ desired: undefined, reported: { own: 1 } });
  await cloud.shadows.deleteShadow({ ...KEY, actor });
  cloud.clock.advance(1);
  await update(cloud, 'desired', ['new'], 1);
  await sync(cloud, edge);
  expect(await cloud.document()).toEqual({ desired: { new: 1 }, reported: { own: 1 } });
  expect(edge.document).toEqual(await cloud.document());
});

test('what the cloud forgot, as it was set back to a backup, comes back from the edge', async () => {
  await using cloud = await openCloud();
  const edge = new EdgeReplica('gw-1');
  await update(cloud, 'desired', ['old'], 1);
  const backup = await cloud.database.selectFrom('shadow').selectAll().execute();
  await update(cloud, 'desired', ['lost'], 2);
  await update(cloud, 'desired', ['old'], 3);
  await sync(cloud, edge);
  await using restored = await openCloud();
  restored.clock.advance(1);
  await restored.database.insertInto('shadow').values(backup).execute();
  await update(restored, 'desired', ['since'], 4);
  // The first answer is lost.
  await restored.replicas.mergeShadow({ ...KEY, report: edge.report(), actor });
  const { document } = await sync(restored, edge);
  expect(document).toMatchObject({ desired: { old: 3, lost: 2, since: 4 }, stamps: { desired: { lost: [1000, 3] } } });
  expect(edge.document).toEqual(await restored.document());
  expect((await sync(restored, edge)).conflicts).toEqual([]);
});

test.each([
  ['a value without a stamp', { reported: { a: 1 }, stamps: {} }],
  ['a stamp of another shape', { reported: { a: 1 }, stamps: { reported: { a: [1.5, 1, 'gw-1'] } } }],
  ['a stamp where an object is', { reported: { a: { b: 1 } }, stamps: { reported: { a: [1, 1, 'gw-1'] } } }],
  ['a write that the clock does not know', { reported: { a: 1 }, stamps: { reported: { a: [1, 2, 'gw-1'] } } }],
  ['a null', { reported: { a: null }, stamps: { reported: { a: [1, 1, 'gw-1'] } } }],
  ['a null in an array', { reported: { a: [null] }, stamps: { reported: { a: [1, 1, 'gw-1'] } } }],
  ['a clock that runs backwards', { clock: { 'gw-1': -1 }, stamps: {} }],
  ['a clock of many', { clock: Object.fromEntries(Array.from({ length: 70 }, (_, i) => [`g${i}`, 1])), stamps: {} }],
  ['the name of this server', { replica: 'cloud', stamps: {} }],
  ['a name that is none', { replica: 'a/b', stamps: {} }],
])('%s is refused, and nothing is done', async (_, report) => {
  await using cloud = await openCloud();
  const whole = { replica: 'gw-1', clock: { 'gw-1': 1 }, ...report } as never;
  await expect(cloud.replicas.mergeShadow({ ...KEY, report: whole, actor })).rejects.toMatchObject({ code: 'shadow.invalid' });
  expect(await cloud.document()).toEqual({ desired: undefined, reported: undefined });
});

test('a shadow of a device that is not there, or one that would be too large, is not merged', async () => {
  await using cloud = await openCloud();
  const edge = new EdgeReplica('gw-1');
  edge.write('reported', ['a'], 'x'.repeat(9_000), 1_000);
  await expect(sync(cloud, edge)).rejects.toMatchObject({ code: 'shadow.too-large' });
  edge.write('reported', ['a'], 1, 1_000);
  const call = { device: 'unknown', shadow: '', report: edge.report(), actor };
  await expect(cloud.replicas.mergeShadow(call)).rejects.toMatchObject({ code: 'device.not-found' });
});

test('of conflicts the newest are kept, in pages, and those of a removed device go', async () => {
  await using cloud = await openCloud();
  for (let i = 0; i < MAX_KEPT + 5; i++) {
    const edge = new EdgeReplica('gw-1');
    await update(cloud, 'reported', ['a'], i);
    edge.write('reported', ['a'], -i - 1, 900);
    const report = { ...edge.report(), clock: { 'gw-1': i + 1 }, stamps: { reported: { a: [900, i + 1, 'gw-1'] as const } } };
    await cloud.replicas.mergeShadow({ ...KEY, report, actor });
  }
  const store = new ConflictStore(cloud.database);
  const first = await store.list(KEY, { limit: 30 });
  const rest = await store.list(KEY, { limit: 30, cursor: first.at(-1)?.cursor });
  expect([first.length, rest.length]).toEqual([30, MAX_KEPT - 30]);
  expect(first[0]?.conflicts[0]?.ours.value).toBe(MAX_KEPT + 4);
  expect(first.at(-1)!.version).toBeGreaterThan(rest[0]!.version);
  const purging = {
    name: 'purging',
    apply: async (_: readonly null[], batch: never) => {
      await cloud.domain.registryChanged([{ sequence: 1, device: KEY.device, kind: 'removed', atMs: START_MS }], batch);
      return [null];
    },
  };
  await cloud.writer.run(purging, null);
  expect(await store.list(KEY, { limit: 30 })).toEqual([]);
});
