import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseDeviceId } from '../../kernel/device-id.ts';
import { all, importText, openImports } from '../import/import.fixture.ts';
import { exportDevices } from './device-export.ts';

const ID = parseDeviceId;

async function textOf(...parameters: Parameters<typeof exportDevices>): Promise<string> {
  return (await all(await exportDevices(...parameters))).join('');
}

test('CSV has a column for each attribute that one of the devices has, and none of devices out of sight', async () => {
  await using open = await openImports();
  await open.devices.create({
    id: ID('a1'),
    group: '/a',
    name: '=1+1',
    tags: ['x', 'y'],
    attributes: { site: 'Kiel', fw: { v: '1.5' } },
  });
  await open.devices.create({ id: ID('b1'), group: '/b', attributes: { secret: true } });
  expect(await textOf(open, 'csv', { scope: { groups: ['/a'] } })).toBe(
    'id,name,type,group,tags,attributes.fw.v,attributes.site,attributes\n' + 'a1,"""=1+1""",,/a,x y,"""1.5""",Kiel,\n',
  );
  expect(await textOf(open, 'csv', { filter: 'attributes.secret = true' })).toBe(
    'id,name,type,group,tags,attributes.secret,attributes\nb1,,,/b,,true,\n',
  );
  expect(await textOf(open, 'jsonl', { group: '/b' })).toBe('{"id":"b1","group":"/b","tags":[],"attributes":{"secret":true}}\n');
  await expect(exportDevices(open, 'csv', { filter: 'what is' })).rejects.toMatchObject({ code: 'request.invalid' });
});

test('any devices come back from their export as they were', async () => {
  const name = fc.stringMatching(/^[A-Za-z0-9_:$@-]{1,5}$/);
  const text = fc.oneof(
    fc.string({ maxLength: 8 }),
    fc.constantFrom('1.5', 'true', 'null', '[1]', '=x', '', ' a ', 'a,"b"\n', '-1'),
  );
  const scalar = fc.oneof(
    text.filter((each) => !each.includes('\0') && each.isWellFormed()),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => number + 0),
    fc.boolean(),
    fc.constant(null),
  );
  const attributes = fc.dictionary(
    name,
    fc.oneof(
      scalar,
      fc.array(scalar, { maxLength: 3 }),
      fc.dictionary(name, fc.oneof(scalar, fc.dictionary(name, scalar, { maxKeys: 2 })), { maxKeys: 3 }),
    ),
    { maxKeys: 5 },
  );
  const device = fc.record({
    name: fc.option(
      fc.string({ minLength: 1, maxLength: 10 }).filter((each) => each.isWellFormed() && !each.includes('\0')),
      { nil: undefined },
    ),
    group: fc.constantFrom('/', '/acme', '/acme/kiel'),
    tags: fc.uniqueArray(fc.constantFrom('a', 'b:1', 'c.d'), { maxLength: 3 }),
    attributes,
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(device, { minLength: 1, maxLength: 6 }),
      fc.constantFrom('csv', 'jsonl'),
      async (drafts, format) => {
        await using from = await openImports();
        await using to = await openImports();
        for (const [index, draft] of drafts.entries()) {
          await from.devices.create({ ...draft, attributes: draft.attributes, id: ID(`d${index}`) });
        }
        const { refused } = await importText(to, await textOf(from, format, {}), { format, mode: 'create' });
        expect(refused).toEqual([]);
        expect(await to.devices.list({ limit: 100 })).toEqual(await from.devices.list({ limit: 100 }));
        // And on top of themselves they change nothing.
        const again = await importText(from, await textOf(from, 'jsonl', { filter: 'id like "*"' }), {
          format: 'jsonl',
          mode: 'update',
        });
        expect(again.refused).toEqual([]);
      },
    ),
    { numRuns: 25 },
  );
});

test('more devices than a page has are all there, each once', async () => {
  await using open = await openImports();
  await importText(open, `id,group\n${Array.from({ length: 1200 }, (_, i) => `d${i},/g${i % 3}`).join('\n')}\n`);
  const lines = (await textOf(open, 'jsonl', { group: '/g1' })).trimEnd().split('\n');
  expect(new Set(lines).size).toBe(400);
  expect((await textOf(open, 'csv', {})).trimEnd().split('\n')).toHaveLength(1201);
});
