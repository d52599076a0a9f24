import fc from 'fast-check';
import { expect, it } from 'vitest';
import { kindOfValue, textOfValue, typedJson, typedObject, typedValue } from './typed-json.ts';

it('takes what is no JSON as the text that it is', () => {
  expect([typedValue('21.5'), typedValue('true'), typedValue('eco'), typedValue('"21"'), typedValue(' eco mode ')]).toEqual([
    21.5,
    true,
    'eco',
    '21',
    'eco mode',
  ]);
});

it('shows each value so that it is read back as the same value', () => {
  expect(textOfValue('eco')).toBe('eco');
  expect(textOfValue('21')).toBe('"21"');
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      expect(typedValue(textOfValue(value))).toEqual(value);
    }),
  );
});

it('takes only an object where one is needed, and says what is wrong', () => {
  expect(typedObject('')).toEqual({ value: {} });
  expect(typedObject('{"a":1}')).toEqual({ value: { a: 1 } });
  expect(typedObject('[1]')).toEqual({ fault: 'It must be a JSON object, as {"mode": "eco"}.' });
  expect(typedObject('{"a":')).toHaveProperty('fault');
  expect(typedJson('  ')).toEqual({ value: undefined });
  expect([null, [], 'a', 1, true, {}].map(kindOfValue)).toEqual(['null', 'list', 'text', 'number', 'boolean', 'object']);
});
