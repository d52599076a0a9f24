import fc from 'fast-check';
import { expect, test } from 'vitest';
import { AuditTrail } from '../../audit/audit-trail.ts';
import { parseDeviceId } from '../../kernel/device-id.ts';
import { MAX_ROW_BYTES } from './device-import.ts';
import { all, callerIn, importText, openImports, sendRest } from './import.fixture.ts';

const ID = parseDeviceId;

test('CSV brings devices with group, tags and attributes, and says what it did', async () => {
  await using open = await openImports();
  const { result, refused } = await importText(
    open,
    '\ufeffid,name,group,tags,attributes.site,attributes.fw.major,attributes.serial\r\n' +
      'p1,"Pump, big",/acme/kiel,a b,Kiel,2,007\r\n\r\np2,,,,,,\r\n',
  );
  expect(refused).toEqual([]);
  expect(result).toMatchObject({ state: 'done', rows: 4, created: 2, updated: 0, unchanged: 0, refused: 0 });
  expect(await open.devices.get(ID('p1'))).toMatchObject({
    name: 'Pump, big',
    group: '/acme/kiel',
    tags: ['a', 'b'],
    attributes: { site: 'Kiel', fw: { major: 2 }, serial: '007' },
  });
  expect(await open.devices.get(ID('p2'))).toMatchObject({ group: '/', tags: [], attributes: {} });
  expect(await open.devices.count({ filter: 'attributes.site = "Kiel"' })).toBe(1);
});

test('lines of JSON: a patch for devices that are there, null takes away', async () => {
  await using open = await openImports();
  const plan = { format: 'jsonl' } as const;
  await importText(open, '{"id":"p1","name":"A","attributes":{"a":1,"b":{"c":2}},"tags":["x"]}', plan);
  const { result } = await importText(
    open,
    '{"id":"p1","name":null,"attributes":{"a":null,"b":{"d":3}}}\n{"id":"p1","attributes":{"b":{"d":3}},"createdAtMs":5}\n',
    plan,
  );
  expect(result).toMatchObject({ created: 0, updated: 1, unchanged: 1 });
  const device = await open.devices.get(ID('p1'));
  expect(device).toMatchObject({ tags: ['x'], attributes: { b: { c: 2, d: 3 } } });
  expect(device).not.toHaveProperty('name');
});

test('each refused row is told with its number, its field and the reason; the others come in', async () => {
  await using open = await openImports();
  await open.devices.create({ id: ID('there') });
  const { result, refused } = await importText(
    open,
    [
      'id,name,type,group,tags,token',
      'ok1,,,,,',
      'bad id,,,,,',
      ',,,,,x',
      'there,,,,,',
      'p1,,no-such-type,,,',
      'p2,,,acme,,',
      'p3,,,,ta/g,',
      'p4,"a"b,,,,',
      'p5,,,',
      'p6,,,,,short',
      'ok1,,,,,',
      'ok2,,,,,',
    ].join('\n'),
    { mode: 'create' },
  );
  expect(result).toMatchObject({ rows: 13, created: 2, refused: 10 });
  expect(refused.map(({ row, field, code, deviceId }) => [row, deviceId, field, code])).toEqual([
    [3, 'bad id', 'id', 'device.invalid-id'],
    [4, undefined, 'id', 'request.invalid'],
    [5, 'there', 'id', 'device.exists'],
    [6, 'p1', 'type', 'request.invalid'],
    [7, 'p2', 'group', 'request.invalid'],
    [8, 'p3', 'tags', 'request.invalid'],
    [9, undefined, undefined, 'request.invalid'],
    [10, 'p5', undefined, 'request.invalid'],
    [11, 'p6', 'token', 'request.invalid'],
    [12, 'ok1', 'id', 'device.exists'],
  ]);
  expect(await open.devices.count()).toBe(3);
});

test('update refuses devices that are not there; a dry run finds out the same and writes nothing', async () => {
  await using open = await openImports();
  await open.devices.create({ id: ID('p1') });
  const text = 'id,name,group\np1,New,\np2,,\np3,,bad\n';
  const dry = await importText(open, text, { mode: 'update', dryRun: true });
  expect(dry.result).toMatchObject({ updated: 1, refused: 2, dryRun: true });
  expect(await open.devices.get(ID('p1'))).not.toHaveProperty('name');
  const real = await importText(open, text, { mode: 'update' });
  expect(real.refused).toEqual(dry.refused);
  expect(real.refused.map(({ code }) => code)).toEqual(['device.not-found', 'device.not-found']);
  expect(await open.devices.get(ID('p1'))).toHaveProperty('name', 'New');
});

test('whoever has a part of the tree imports into it and touches nothing else', async () => {
  await using open = await openImports();
  await open.devices.create({ id: ID('foreign'), group: '/other', name: 'kept' });
  const caller = callerIn({ groups: ['/acme'] });
  const { refused, result } = await importText(
    open,
    'id,name,group\nin,x,/acme/kiel\nroot,x,\nout,x,/other\nforeign,stolen,/acme\nlike,x,/acmeto\n',
    {},
    { caller },
  );
  expect(result.created).toBe(1);
  expect(refused.map(({ deviceId, code }) => [deviceId, code])).toEqual([
    ['root', 'access.denied'],
    ['out', 'access.denied'],
    ['foreign', 'device.exists'],
    ['like', 'access.denied'],
  ]);
  expect(await open.devices.get(ID('foreign'))).toMatchObject({ group: '/other', name: 'kept' });
  const blind = await importText(open, 'id,name\nforeign,stolen\nnobody,x\n', { mode: 'update' }, { caller });
  expect(blind.refused.map(({ reason }) => reason)).toEqual(['there is no device foreign', 'there is no device nobody']);
  // Moving a device out of the scope is refused too.
  const moved = await importText(open, 'id,group\nin,/other\n', {}, { caller });
  expect(moved.refused).toHaveLength(1);
  const placed = await importText(open, 'id\nnew\n', { group: '/acme/x' }, { caller });
  expect(placed.result.created).toBe(1);
  expect((await open.devices.get(ID('new'))).group).toBe('/acme/x');
  await expect(importText(open, 'id\n', { group: '/other' }, { caller })).rejects.toMatchObject({ code: 'access.denied' });
});

test('an import is there for who began it and for those who may do everything, for nobody else', async () => {
  await using open = await openImports();
  const { result } = await importText(open, 'id\np1\n', {}, { caller: callerIn({ groups: ['/acme'] }, 'u1') });
  const other = callerIn({ groups: ['/acme'] }, 'u2');
  await expect(open.imports.find(result.id, other)).rejects.toMatchObject({ code: 'import.not-found' });
  await expect(all(open.imports.refused(result.id, other))).rejects.toMatchObject({ code: 'import.not-found' });
  expect(await open.imports.list(other, 10)).toEqual([]);
  expect(await open.imports.find(result.id, callerIn(undefined, 'u2'))).toMatchObject({ id: result.id });
});

test('the same content, begun again by the same caller, goes on where it was broken off', async () => {
  await using open = await openImports();
  const plan = { format: 'csv', mode: 'create', dryRun: false, fingerprint: 'f'.repeat(64) } as const;
  const bytes = Buffer.from(`id\n${Array.from({ length: 500 }, (_, i) => `p${i}`).join('\n')}\n`);
  const first = await open.imports.begin(plan, callerIn());
  await open.imports.take(first.import.id, { offset: 0, bytes: bytes.subarray(0, 1001), isLast: false }, callerIn());
  const again = await open.imports.begin(plan, callerIn());
  expect(again).toMatchObject({ isNew: false, import: { id: first.import.id } });
  expect(again.import.position).toBeGreaterThan(990);
  const result = await sendRest(open.imports, again.import, bytes, callerIn());
  expect(result).toMatchObject({ state: 'done', created: 500, refused: 0, rows: 501 });
  expect((await open.imports.begin(plan, callerIn())).isNew).toBe(true);
  expect((await open.imports.begin({ ...plan, mode: 'upsert' }, callerIn())).isNew).toBe(true);
});

test('a part at the wrong place, or beside another, changes nothing', async () => {
  await using open = await openImports();
  const { import: begun } = await open.imports.begin({ format: 'csv', mode: 'create', dryRun: false }, callerIn());
  const bytes = Buffer.from('id\np1\np2\n');
  const early = open.imports.take(begun.id, { offset: 5, bytes, isLast: false }, callerIn());
  await expect(early).rejects.toMatchObject({ code: 'import.wrong-position', details: { position: 0 } });
  const both = await Promise.allSettled([
    open.imports.take(begun.id, { offset: 0, bytes, isLast: false }, callerIn()),
    open.imports.take(begun.id, { offset: 0, bytes, isLast: false }, callerIn()),
  ]);
  expect(both.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
  expect(both[1]).toMatchObject({ reason: { code: 'import.busy' } });
  expect(await open.devices.count()).toBe(2);
});

test('what is sent makes no difference by how it is cut', async () => {
  const row = fc.constantFrom('a,1', 'b,"x\ny"', 'bad id,1', 'c', '', 'a,"2"', 'd,"unclosed"x', 'e,é');
  await fc.assert(
    fc.asyncProperty(
      fc.array(row, { maxLength: 12 }),
      fc.integer({ min: 16, max: 60 }),
      fc.boolean(),
      async (rows, partBytes, ended) => {
        const text = `id,name\n${rows.join('\n')}${ended ? '\n' : ''}`;
        await using whole = await openImports();
        await using cut = await openImports();
        const one = await importText(whole, text);
        const other = await importText(cut, text, {}, { partBytes });
        expect(other.refused).toEqual(one.refused);
        expect(other.result).toEqual(one.result);
        expect(await cut.devices.list({ limit: 100 })).toEqual(await whole.devices.list({ limit: 100 }));
      },
    ),
    { numRuns: 25 },
  );
});

test('a row of any length costs one refusal, also over the borders of parts', async () => {
  await using open = await openImports();
  const text = `id,name\np1,x\np2,${'y'.repeat(MAX_ROW_BYTES * 3)}\np3,"never closed\np4,x\n${'p5,x\n'.repeat(20_000)}`;
  const { result, refused } = await importText(open, text, {}, { partBytes: MAX_ROW_BYTES + 1000 });
  expect(refused.map(({ row }) => row)).toEqual([3, 4]);
  expect(refused[0]?.reason).toContain('longer than 64 KB');
  expect(result).toMatchObject({ state: 'done', created: 3, rows: 20_005 });
});

test('what is not UTF-8 or not JSON is refused by its row', async () => {
  await using open = await openImports();
  const latin = Buffer.from('id,name\np1,x\np2,caf\xe9\np3,x\n', 'latin1');
  const csv = await importText(open, latin);
  expect(csv.refused).toMatchObject([{ row: 3, reason: expect.stringContaining('UTF-8') as string }]);
  expect(csv.result.created).toBe(2);
  const deep = `${'['.repeat(30_000)}${']'.repeat(30_000)}`;
  const lines = [
    '{"id":"j1"}',
    '{"id":',
    '[]',
    '7',
    '',
    `{"id":"j2","attributes":{"a":${deep}}}`,
    '{"id":"j3","x":1}',
    '{"id":7}',
  ];
  const json = await importText(open, lines.join('\n'), { format: 'jsonl' });
  expect(json.refused.map(({ row }) => row)).toEqual([2, 3, 4, 6, 7, 8]);
  expect(json.result.created).toBe(1);
});

test('a first line that names no columns, unknown ones or one twice stops the import before any row', async () => {
  await using open = await openImports();
  for (const header of [
    'name,group',
    'id,firmware',
    'id,id',
    'id,attributes.',
    'id,attributes.a.b.c.d.e',
    'id,attributes.a,attributes.a (text)',
  ]) {
    await expect(importText(open, `${header}\np1,x,y\n`)).rejects.toMatchObject({
      code: 'request.invalid',
      details: { field: 'header' },
    });
  }
  await expect(importText(open, '')).rejects.toMatchObject({ code: 'request.invalid' });
  expect(await open.devices.count()).toBe(0);
});

test('columns may be separated as spreadsheets do it elsewhere; a column can be said to be text', async () => {
  await using open = await openImports();
  await importText(open, 'id;attributes.fw (text);attributes.n\np1;1.5;1.5\n');
  expect((await open.devices.get(ID('p1'))).attributes).toEqual({ fw: '1.5', n: 1.5 });
});

test('the trail has an entry for each batch and group instead of one for each device, and what updates replaced', async () => {
  await using open = await openImports();
  const rows = Array.from({ length: 100 }, (_, i) => `p${i},n${i},/g${i % 2}`);
  const { result } = await importText(open, `id,name,group\n${rows.join('\n')}\n`);
  await importText(open, 'id,name\np1,other\n');
  const trail = new AuditTrail(open);
  const entries = await trail.list({ limit: 100, action: 'device.import' });
  expect(entries.map(({ group }) => group)).toEqual(['/g1', '/g1', '/g0']);
  expect(entries[0]).toMatchObject({ before: { p1: { name: 'n1' } }, after: { updated: { p1: { name: 'other' } } } });
  const created = Array.from({ length: 50 }, (_, i) => `p${i * 2}`);
  expect(entries[2]).toMatchObject({ object: { kind: 'import', id: result.id }, after: { created } });
  expect(await trail.list({ limit: 100, objectKind: 'device' })).toEqual([]);
  expect((await trail.list({ limit: 100, objectId: result.id })).map(({ action }) => action)).toEqual([
    'import.end',
    'device.import',
    'device.import',
    'import.begin',
  ]);
});

test('devices of very many groups are in the trail at the groups above them', async () => {
  await using open = await openImports();
  const rows = Array.from({ length: 120 }, (_, i) => `p${i},/acme/plant-${i % 3}/hall-${i % 60}`);
  await importText(open, `id,group\n${rows.join('\n')}\nroot,/\n`);
  const entries = await new AuditTrail(open).list({ limit: 100, action: 'device.import' });
  expect(entries.map(({ group }) => group).sort()).toEqual(['/', '/acme/plant-0', '/acme/plant-1', '/acme/plant-2']);
  const ids = entries.flatMap(({ after }) => (after as { readonly created: readonly string[] }).created);
  expect(new Set(ids).size).toBe(121);
});

test('a token that comes along is kept; connections with another one before are cut, and changes are told', async () => {
  await using open = await openImports();
  const token = (mark: string): string => mark.repeat(24);
  await importText(open, `id,token\np1,${token('a')}\np2,\n`);
  expect(open.tokens).toEqual(new Map([['p1', token('a')]]));
  expect([open.cut, open.accessChanged]).toEqual([[], []]);
  await importText(open, `id,token\np1,${token('b')}\n`);
  await importText(open, `id,group\np2,/moved\n`);
  expect([open.cut, open.accessChanged]).toEqual([['p1'], [['p1'], ['p2']]]);
  await importText(open, `id,token\np1,${token('c')}\n`, { dryRun: true });
  expect(open.tokens.get(ID('p1'))).toBe(token('b'));
});
