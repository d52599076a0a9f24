import { expect, test } from 'vitest';
import type { Filter } from './filter-ast.ts';
import { MAX_CONDITIONS, MAX_FILTER_DEPTH, parseFilter } from './parse-filter.ts';

const demo: Filter = { kind: 'tag', tag: 'demo' };
const type = (text: string): Filter => ({
  kind: 'value',
  field: { kind: 'type' },
  comparison: '=',
  literal: { kind: 'text', text },
});

test('and binds before or, not before both, and brackets before all', () => {
  const connected: Filter = { kind: 'connected' };
  expect(parseFilter('not tags has "demo" and connected = true or type = "a"')).toEqual({
    kind: 'or',
    items: [{ kind: 'and', items: [{ kind: 'not', item: demo }, connected] }, type('a')],
  });
  expect(parseFilter('NOT (tags has "demo" OR connected = true)')).toEqual({
    kind: 'not',
    item: { kind: 'or', items: [demo, connected] },
  });
});

test('every comparison is read as what it says', () => {
  const attribute = { kind: 'attribute', path: 'fw.version' } as const;
  const value = (comparison: '=' | '>=', literal: object) => ({ kind: 'value', field: attribute, comparison, literal });
  const cases: readonly (readonly [string, object])[] = [
    [`attributes.fw.version >= '2.1'`, value('>=', { kind: 'text', text: '2.1' })],
    ['attributes.fw.version = -2.5', value('=', { kind: 'number', number: -2.5 })],
    ['attributes.fw.version != true', { kind: 'not', item: value('=', { kind: 'truth', truth: true }) }],
    ['attributes.fw.version exists', { kind: 'value-exists', field: attribute }],
    ['type in ("a", "b")', { kind: 'or', items: [type('a'), type('b')] }],
    ['type not in ("a")', { kind: 'not', item: type('a') }],
    ['id like "abc*"', { kind: 'text-like', column: 'id', pattern: 'abc*' }],
    ['name not like "x"', { kind: 'not', item: { kind: 'text-like', column: 'name', pattern: 'x' } }],
    ['group under "/acme"', { kind: 'group', path: '/acme', below: true }],
    ['group = "/acme"', { kind: 'group', path: '/acme', below: false }],
    ['connected = false', { kind: 'not', item: { kind: 'connected' } }],
    ['connected != false', { kind: 'not', item: { kind: 'not', item: { kind: 'connected' } } }],
    ['lastSeen < -30d', { kind: 'time', column: 'lastSeen', comparison: '<', literal: { kind: 'ago', ms: 30 * 86_400_000 } }],
    [
      'createdAt >= "2026-01-31"',
      { kind: 'time', column: 'createdAt', comparison: '>=', literal: { kind: 'time', ms: Date.UTC(2026, 0, 31) } },
    ],
    [
      'createdAt < "2026-01-31T12:00:00+01:00"',
      { kind: 'time', column: 'createdAt', comparison: '<', literal: { kind: 'time', ms: Date.UTC(2026, 0, 31, 11) } },
    ],
    ['lastSeen exists', { kind: 'seen' }],
    [
      'firmware = "1"',
      { kind: 'value', field: { kind: 'attribute', path: 'firmware' }, comparison: '=', literal: { kind: 'text', text: '1' } },
    ],
    [String.raw`name = "a\"b\\"`, { kind: 'text', column: 'name', text: 'a"b\\' }],
  ];
  for (const [text, filter] of cases) expect([text, parseFilter(text)]).toEqual([text, filter]);
});

test.each([
  ['', 1, 'a field expected'],
  ['type', 5, 'a comparison expected'],
  ['type = boiler', 8, 'a text stands in quotes'],
  ['type = "boiler', 8, 'no closing'],
  ['type = "a" connected = true', 12, '"and", "or" or the end'],
  ['(type = "a"', 12, '")" expected'],
  ['color = "red"', 1, 'there is no field color'],
  ['tag = "demo"', 1, 'tags has'],
  ['tags = "demo"', 6, 'cannot be compared by ='],
  ['type < "a"', 6, 'cannot be compared by <'],
  ['type not = "a"', 10, 'after "not"'],
  ['attributes = "a"', 1, 'attributes.NAME'],
  ['attributes.a.b.c.d.e = 1', 1, 'levels deep'],
  ['attributes.on > true', 15, '= and != compare them'],
  ['attributes.a = -3d', 16, 'compared with'],
  ['connected = 1', 13, 'true or false'],
  ['lastSeen = -1d', 10, 'cannot be compared by ='],
  ['lastSeen < "yesterday"', 12, 'a time'],
  ['lastSeen < "2026-13-45"', 12, 'a time'],
  ['group under "acme"', 13, 'a path'],
  ['tags has "a b"', 10, 'a tag is'],
  ['shadow.x = true', 1, 'shadow.reported.NAME'],
  ['shadow = 1', 1, 'shadow.reported.NAME'],
  ['shadow.reported = 1', 1, 'shadow.reported.NAME'],
  ['shadow.config.reported = 1', 1, 'shadow.reported.NAME'],
  ['shadow.reported.a.b.c.d.e.f.g.h.i exists', 1, 'shadow.reported.NAME'],
  ['shadow.reported.on > true', 20, 'not more or less'],
  ['shadow.reported.on has "a"', 20, 'in like exists'],
  ['name like "********** "', 11, 'at most 8'],
  ['type = "a"; drop table device', 11, 'begins nothing'],
  ['type = "\u0000"', 8, 'characters that no value has'],
  ['attributes.a = 1e999', 16, 'too large'],
])('%j is refused at character %i', (text, position, reason) => {
  expect(() => parseFilter(text)).toThrow(
    expect.objectContaining({
      code: 'request.invalid',
      message: expect.stringMatching(new RegExp(`at character ${position}: .*${reason.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}`)),
      details: { field: 'filter', position },
    }),
  );
});

test('a filter has bounds, and stays within them however it is nested', () => {
  const deep = (levels: number) => `${'('.repeat(levels)}connected = true${')'.repeat(levels)}`;
  expect(parseFilter(deep(MAX_FILTER_DEPTH - 1))).toEqual({ kind: 'connected' });
  expect(() => parseFilter(deep(MAX_FILTER_DEPTH))).toThrow(/levels deep/);
  expect(() => parseFilter(`${'not '.repeat(1000)}connected = true`)).toThrow(/levels deep/);
  expect(() => parseFilter(`id in (${Array.from({ length: MAX_CONDITIONS + 1 }, () => '"a"').join(',')})`)).toThrow(/conditions/);
  expect(() => parseFilter('('.repeat(5000))).toThrow(/characters/);
  expect(() => parseFilter(`id = "${'x'.repeat(257)}"`)).toThrow(/characters/);
});
