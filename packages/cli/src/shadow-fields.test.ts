import { expect, test } from 'vitest';
import { assignedFields, objectOf } from './shadow-fields.ts';

const plain = (assignments: readonly string[]): unknown => JSON.parse(JSON.stringify(assignedFields(assignments)));

test('values are JSON, and text where they are none', () => {
  expect(plain(['mode=eco', 'n=3', 'on=true', 'text="3"', 'list=[1,2]', 'none=null', 'empty=', 'a=b=c'])).toEqual({
    mode: 'eco',
    n: 3,
    on: true,
    text: '3',
    list: [1, 2],
    none: null,
    empty: '',
    a: 'b=c',
  });
});

test('names with dots reach into objects, and a minus takes away', () => {
  expect(plain(['fan.speed=3', 'fan.led.on=false', 'old-', 'fan.old-', 'kebab-name=1'])).toEqual({
    fan: { speed: 3, led: { on: false }, old: null },
    old: null,
    'kebab-name': 1,
  });
  expect(Object.keys(assignedFields(['__proto__.x=1']))).toEqual(['__proto__']);
});

test.each([[['noise']], [['=1']], [['a..b=1']], [['a=1', 'a.b=2']], [['a.b=1', 'a=2']], [['a=1', 'a-']]])(
  '%j is refused',
  (given) => {
    expect(() => assignedFields(given)).toThrow(/neither|together/);
  },
);

test('an object is JSON or a file with it', () => {
  expect(objectOf('--desired', '{"a":1}')).toEqual({ a: 1 });
  expect(objectOf('--desired', 'null')).toBeNull();
  for (const text of ['[1]', '5', '{', '@/no/such/file']) expect(() => objectOf('--desired', text)).toThrow('--desired');
});
