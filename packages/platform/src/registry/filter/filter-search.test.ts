import fc from 'fast-check';
import { expect, test } from 'vitest';
import { systemActor } from '../../audit/actor.ts';
import type { DeviceId } from '../../kernel/device-id.ts';
import type { DeviceDraft, DevicePatch } from '../device.ts';
import type { AttributeValue } from '../device-attributes.ts';
import { reindexIfOld } from '../device-reindex.ts';
import { parseShadowField } from '../shadow-field.ts';
import { ShadowTermStore } from '../shadow-term-store.ts';
import { valuesAt } from '../shadow-values.ts';
import { openTestRegistry, postingsOf, type TestRegistry } from '../registry.fixture.ts';
import type { Filter } from './filter-ast.ts';
import { holdsFor, type Shadows } from './filter-oracle.fixture.ts';
import { FilterSearch } from './filter-search.ts';
import { parseFilter } from './parse-filter.ts';

const actor = systemActor('test');
const GROUPS = ['/', '/a', '/a/b', '/a/b/c', '/ab', '/a-b', '/d/a'];
const TYPES = ['boiler', 'pump', 'boiler-2'];
const TAGS = ['demo', 'de', 'x_1'];
const TEXTS = ['2.1', '2.10', '2.9', 'v02', '2.01', 'Kiel', 'kiel', '%', '_a', 'ü', '\u{1F600}', "o'k", '*'];
const NUMBERS = [0, -1, 2.5, 10, 1e21];
const PATHS = ['fw.version', 'site', 'n', 'fw', 'site.version'];
const PATTERNS = ['*', '2.*', '?', 'k*l', '%', '_*', '*\u{1F600}', 'b*2', 'a*', '*1', '\\*', 'D?', "o'*"];
const IDS = Array.from({ length: 60 }, (_, i) => ['a', 'B', 'ab', 'Z.'][i % 4]! + String(i));
const NOW_MS = 10_000_000_000;
const DAY_MS = 86_400_000;

/** Twenty minutes apart within a day, then on other days. */
function timeOf(i: number): number {
  return 1000 + Math.floor(i / 12) * DAY_MS + (i % 12) * 1_200_000;
}

const scalar = fc.constantFrom<AttributeValue>(...TEXTS, ...NUMBERS, true, false, null, 'x'.repeat(300));
const attributes = fc.record(
  {
    fw: fc.oneof(scalar, fc.record({ version: fc.oneof(scalar, fc.array(scalar, { maxLength: 3 })) }, { requiredKeys: [] })),
    site: fc.oneof(scalar, fc.array(fc.oneof(scalar, fc.record({ version: scalar })), { maxLength: 3 })),
    n: scalar,
  },
  { requiredKeys: [] },
);
const patch = fc.record(
  {
    name: fc.option(fc.constantFrom('Pump 1', 'pump 2', '%', 'ü'), { nil: null }),
    type: fc.option(fc.constantFrom(...TYPES), { nil: null }),
    group: fc.constantFrom(...GROUPS),
    attributes,
    tags: fc.subarray(TAGS),
  },
  { requiredKeys: [] },
);

/** What of shadows is searchable in these tests. */
const SHADOW_FIELDS = [
  'shadow.reported.mode',
  'shadow.desired.fan.speed',
  'shadow.config.reported.list',
  'shadow.config.reported.list.on',
];
const shadowsOf: fc.Arbitrary<Shadows> = fc.record(
  {
    reported: fc.record({ mode: fc.oneof(scalar, fc.array(scalar, { maxLength: 3 })) }, { requiredKeys: [] }),
    desired: fc.oneof(scalar, fc.record({ fan: fc.oneof(scalar, fc.record({ speed: scalar })) })),
    'config.reported': fc.record({
      list: fc.oneof(scalar, fc.array(fc.oneof(scalar, fc.record({ on: fc.oneof(scalar, fc.array(scalar)) })), { maxLength: 3 })),
    }),
  },
  { requiredKeys: [] },
);

const comparison = fc.constantFrom<'=' | '<' | '<=' | '>' | '>='>('=', '<', '<=', '>', '>=');
const ordering = fc.constantFrom<'<' | '<=' | '>' | '>='>('<', '<=', '>', '>=');
const field = fc.oneof(
  fc.constant({ kind: 'type' } as const),
  fc.constantFrom(...PATHS).map((path) => ({ kind: 'attribute', path }) as const),
  fc.constantFrom(...SHADOW_FIELDS).map((name) => ({ kind: 'shadow', field: name }) as const),
);
const attributeField = fc.oneof(
  fc.constantFrom(...PATHS).map((path) => ({ kind: 'attribute', path }) as const),
  fc.constantFrom(...SHADOW_FIELDS).map((name) => ({ kind: 'shadow', field: name }) as const),
);
const timeLiteral = fc.oneof(
  fc
    .integer({ min: -1, max: 70 })
    .map((i) => ({ kind: 'time', ms: i % 3 === 0 ? timeOf(i) : Math.floor(timeOf(i) / DAY_MS) * DAY_MS }) as const),
  fc.integer({ min: -1, max: 70 }).map((i) => ({ kind: 'ago', ms: NOW_MS - timeOf(i) }) as const),
  fc.constant({ kind: 'ago', ms: 0 } as const),
);
const leaf: fc.Arbitrary<Filter> = fc.oneof(
  fc.record({
    kind: fc.constant('value' as const),
    field: attributeField,
    comparison,
    literal: fc.oneof(
      fc.constantFrom(...TEXTS).map((text) => ({ kind: 'text', text }) as const),
      fc.constantFrom(...NUMBERS).map((number) => ({ kind: 'number', number }) as const),
    ),
  }),
  fc.boolean().map((truth): Filter => ({
    kind: 'value',
    field: { kind: 'attribute', path: 'n' },
    comparison: '=',
    literal: { kind: 'truth', truth },
  })),
  fc
    .constantFrom(...TYPES)
    .map((text): Filter => ({ kind: 'value', field: { kind: 'type' }, comparison: '=', literal: { kind: 'text', text } })),
  fc.record({ kind: fc.constant('value-like' as const), field, pattern: fc.constantFrom(...PATTERNS) }),
  fc.record({ kind: fc.constant('value-exists' as const), field }),
  fc.record({
    kind: fc.constant('text' as const),
    column: fc.constantFrom('id' as const, 'name' as const),
    text: fc.constantFrom(...IDS, 'Pump 1', '%'),
  }),
  fc.record({
    kind: fc.constant('text-like' as const),
    column: fc.constantFrom('id' as const, 'name' as const),
    pattern: fc.constantFrom(...PATTERNS, 'Z.*', 'Pump*', 'P*1'),
  }),
  fc.record({
    kind: fc.constant('time' as const),
    column: fc.constantFrom('createdAt' as const, 'lastSeen' as const),
    comparison: ordering,
    literal: timeLiteral,
  }),
  fc.record({ kind: fc.constant('group' as const), path: fc.constantFrom(...GROUPS, '/none'), below: fc.boolean() }),
  fc.constantFrom(...TAGS, 'none').map((tag): Filter => ({ kind: 'tag', tag })),
  fc.constantFrom<Filter>({ kind: 'connected' }, { kind: 'seen' }, { kind: 'all' }, { kind: 'name-exists' }),
);
const { filter } = fc.letrec<{ filter: Filter }>((tie) => ({
  filter: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    leaf,
    fc.array(tie('filter'), { minLength: 1, maxLength: 3 }).map((items): Filter => ({ kind: 'and', items })),
    fc.array(tie('filter'), { minLength: 1, maxLength: 3 }).map((items): Filter => ({ kind: 'or', items })),
    tie('filter').map((item): Filter => ({ kind: 'not', item })),
  ),
}));

/** Devices that were made, changed, moved, connected and removed: what is left is what they are. */
async function fill(registry: TestRegistry, seed: number): Promise<ReadonlyMap<string, Shadows>> {
  for (const name of TYPES) await registry.types.create({ name }, actor);
  const patches = fc.sample(patch, { numRuns: IDS.length * 2, seed });
  const choice = fc.sample(fc.nat({ max: 99 }), { numRuns: IDS.length * 3, seed });
  for (const [i, id] of IDS.entries()) {
    const { name, type, ...rest } = patches[i]!;
    const draft: unknown = { id, name: name ?? undefined, type: type ?? undefined, ...rest };
    await registry.devices.create(draft as DeviceDraft, actor);
    registry.clock.advance(timeOf(i + 1) - registry.clock.now());
  }
  for (const [i, id] of IDS.entries()) {
    const roll = choice[i]!;
    if (roll < 40) await registry.devices.update(id as DeviceId, patches[IDS.length + i] as DevicePatch, actor);
    if (roll > 30) await connect(registry, id, true, timeOf(i));
    if (roll > 60) await connect(registry, id, false, timeOf(i + 5));
    if (roll > 90) await registry.devices.remove(id as DeviceId, actor);
  }
  registry.clock.advance(NOW_MS - registry.clock.now());
  return await fillShadows(registry, seed);
}

/** Shadows that were written, and written again, also of devices that are no more. */
async function fillShadows(registry: TestRegistry, seed: number): Promise<ReadonlyMap<string, Shadows>> {
  const store = new ShadowTermStore(registry.database);
  await store.setFields(SHADOW_FIELDS.map((name, index) => ({ stateId: index + 1, field: name, createdAtMs: 1 })));
  const shadows = new Map<string, Shadows>();
  for (const [i, each] of fc.sample(shadowsOf, { numRuns: IDS.length * 2, seed }).entries()) {
    const device = IDS[i % IDS.length]!;
    shadows.set(device, each);
    const changes = SHADOW_FIELDS.map((name, index) => {
      const { shadow, section, path } = parseShadowField(name)!;
      return { device, stateId: index + 1, value: valuesAt(each[shadow === '' ? section : `${shadow}.${section}`], path) };
    });
    await store.apply(changes, i, NOW_MS);
  }
  return shadows;
}

async function connect(registry: TestRegistry, id: string, connected: boolean, atMs: number): Promise<void> {
  await registry.connectivity.record([{ deviceId: id as DeviceId, connected, atMs }]);
}

test('a filter finds exactly the devices for which it holds', async () => {
  await using registry = await openTestRegistry();
  const shadows = await fill(registry, 1);
  const devices = (await registry.devices.list({ limit: 1000 })).items;
  const seen = await registry.connectivity.of(devices.map(({ id }) => id));
  const rows = await registry.database.selectFrom('device').select(['id', 'number']).execute();
  const numbers = new Map(rows.map(({ id, number }) => [id, Number(number)]));
  // As with a million devices: so that conditions on rows are asked in each of the ways that there are.
  const bounds = fc.constantFrom(
    { fewCandidates: 500, fewValues: 500, manyRows: 20_000, mostRead: 1e9 },
    { fewCandidates: 5, fewValues: 5, manyRows: 10, mostRead: 1e9 },
    { fewCandidates: 0, fewValues: 0, manyRows: 0, mostRead: 1e9 },
  );
  await fc.assert(
    fc.asyncProperty(filter, bounds, async (each, bounded) => {
      const found = await new FilterSearch(registry.database, NOW_MS, bounded).matches(each);
      const matching = devices.filter((device) => holdsFor(each, device, seen.get(device.id), NOW_MS, shadows.get(device.id)));
      const expected = matching.map(({ id }) => numbers.get(id)!).sort((a, b) => a - b);
      expect(found.take(1000)).toEqual(expected);
    }),
    { numRuns: 1500 },
  );
});

test('what devices are found by is the same as if it were put together anew', async () => {
  await using registry = await openTestRegistry();
  await fill(registry, 2);
  const kept = await postingsOf(registry.database);
  await registry.database.updateTable('registry_counter').set({ value: 0 }).where('name', '=', 'index-version').execute();
  expect(await reindexIfOld(registry.database)).toBe(await registry.devices.count());
  expect(await postingsOf(registry.database)).toEqual(kept);
  expect(await reindexIfOld(registry.database)).toBeUndefined();
});

test('pages of a filter are all devices that it holds for, in the order of registration', async () => {
  await using registry = await openTestRegistry();
  await fill(registry, 3);
  const query = { filter: 'not tags has "demo"' };
  const found: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await registry.devices.list({ ...query, limit: 7, cursor });
    found.push(...page.items.map(({ id }) => id));
    cursor = page.cursor;
  } while (cursor !== undefined);
  const all = (await registry.devices.list({ limit: 1000 })).items.filter(({ tags }) => !tags.includes('demo'));
  const expected = [...all].sort((a, b) => a.createdAtMs - b.createdAtMs).map(({ id }) => id);
  expect(found).toEqual(expected);
  expect(await registry.devices.count(query)).toBe(expected.length);
});

test('a cursor goes on in the list that gave it and in no other kind', async () => {
  await using registry = await openTestRegistry();
  await fill(registry, 4);
  const plain = await registry.devices.list({ limit: 1 });
  await expect(registry.devices.list({ filter: 'id exists', limit: 1, cursor: plain.cursor })).rejects.toMatchObject({
    code: 'request.invalid',
  });
});

test('one search reads no more than its share, however it is put together', async () => {
  await using registry = await openTestRegistry();
  for (let i = 0; i < 30; i++)
    await registry.devices.create({ id: `d${i}` as DeviceId, name: `n${i}`, attributes: { a: i } }, actor);
  const bounds = { fewCandidates: 0, fewValues: 0, manyRows: 10, mostRead: 100 };
  const ask = async (filter: string) =>
    (await new FilterSearch(registry.database, NOW_MS, bounds).matches(parseFilter(filter))).count();
  expect(await ask('name like "*1*" or attributes.a > 15')).toBe(21);
  for (const condition of ['name like "*x*"', 'attributes.a >= 0', 'attributes.a like "*"', 'id like "*1*"', 'name exists']) {
    const filter = Array.from({ length: 30 }, () => condition).join(' or ');
    if (condition.includes('a like')) expect(await ask(filter)).toBe(0);
    else await expect(ask(filter)).rejects.toMatchObject({ code: 'request.invalid', details: { field: 'filter' } });
  }
});

const INJECTIONS = [
  `' or 1=1 --`,
  `"; drop table device; --`,
  `') union select token_hash from device_token --`,
  `%' or '1'='1`,
  `\\'; delete from device; --`,
  `x' and (select count(*) from api_key) > 0 --`,
  `${'`'}; select 1`,
  `$1`,
  `?`,
  `:id`,
  `@p`,
  `__proto__`,
];

test('whatever stands in a text is compared as a text, and nothing else happens', async () => {
  await using registry = await openTestRegistry();
  for (const [i, text] of INJECTIONS.entries()) {
    await registry.devices.create({ id: `d${i}` as DeviceId, name: text, attributes: { a: text } }, actor);
  }
  for (const [i, text] of INJECTIONS.entries()) {
    const quoted = `"${text.replace(/["\\]/g, '\\$&')}"`;
    for (const filter of [`name = ${quoted}`, `attributes.a = ${quoted}`, `attributes.a in (${quoted}, "none")`]) {
      expect((await registry.devices.list({ filter, limit: 100 })).items.map(({ id }) => id)).toEqual([`d${i}`]);
    }
    for (const filter of [
      `name like ${quoted}`,
      `attributes.a like ${quoted}`,
      `id like ${quoted}`,
      `attributes.a >= ${quoted}`,
    ]) {
      await registry.devices.list({ filter, limit: 100 });
    }
    await expect(registry.devices.list({ filter: text, limit: 100 })).rejects.toMatchObject({ code: 'request.invalid' });
  }
  expect(await registry.devices.count()).toBe(INJECTIONS.length);
});

test('any text is a filter or is refused with a position', async () => {
  await using registry = await openTestRegistry();
  const piece = fc.oneof(
    fc.constantFrom(
      'type',
      '=',
      '"a"',
      'and',
      'or',
      'not',
      '(',
      ')',
      'attributes.a',
      '-3d',
      '1',
      'like',
      'in',
      ',',
      'has',
      'tags',
    ),
    fc.constantFrom(
      'under',
      '!=',
      '<=',
      'connected',
      'true',
      'lastSeen',
      'exists',
      "'",
      '\\',
      'shadow.x',
      'id',
      '"*"',
      ';',
      '--',
    ),
    fc.string({ maxLength: 5 }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { maxLength: 12 }), async (pieces) => {
      const text = pieces.join(' ');
      try {
        parseFilter(text);
      } catch (error) {
        expect(error).toMatchObject({ code: 'request.invalid', details: { field: 'filter', position: expect.any(Number) } });
        const { position } = (error as { details: { position: number } }).details;
        expect(position).toBeGreaterThanOrEqual(1);
        expect(position).toBeLessThanOrEqual(text.length + 1);
        return;
      }
      await registry.devices.count({ filter: text });
    }),
    { numRuns: 3000 },
  );
});
