import { expect, test } from 'vitest';
import { deviceFieldsOf } from './device-fields.ts';

test('attributes are texts, numbers, truths and JSON, at any depth', () => {
  expect(
    deviceFieldsOf({
      attribute: ['site=Kiel', 'fw.version=2.1', 'fw.channel=beta', 'floor=3', 'on=true', 'list=[1,"a"]', 'v="7"'],
    }),
  ).toEqual({
    attributes: { site: 'Kiel', fw: { version: '2.1', channel: 'beta' }, floor: 3, on: true, list: [1, 'a'], v: '7' },
  });
});

test('an empty value takes a field away', () => {
  expect(deviceFieldsOf({ attribute: ['site='], name: '', type: '', tag: [''] })).toEqual({
    attributes: { site: null },
    name: null,
    type: null,
    tags: [],
  });
});

test('single attributes are added to an object', () => {
  expect(deviceFieldsOf({ attributes: '{"fw":{"a":1}}', attribute: ['fw.b=2'] })).toEqual({ attributes: { fw: { a: 1, b: 2 } } });
});

test('what is not given is not sent', () => {
  expect(deviceFieldsOf({})).toEqual({});
});

test('a name that objects have by themselves is a field like others', () => {
  const { attributes } = deviceFieldsOf({ attribute: ['__proto__.x=1'] });
  expect(JSON.stringify(attributes)).toBe('{"__proto__":{"x":1}}');
});

test.each([{ attribute: ['site'] }, { attribute: ['=x'] }, { attributes: '[1]' }, { attributes: '{' }])(
  '%j is refused',
  (options) => {
    expect(() => deviceFieldsOf(options)).toThrow(/takes/);
  },
);
