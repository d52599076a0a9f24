import { describe, expect, test } from 'vitest';
import { CompiledSchema } from './compiled-schema.ts';
import { withoutRequired } from './schema-bounds.ts';

const BOILER = {
  type: 'object',
  properties: {
    target: { type: 'number', minimum: 5, maximum: 90 },
    mode: { enum: ['eco', 'comfort'] },
    net: { type: 'object', properties: { ssid: { type: 'string', pattern: '^[a-z]+$' } }, additionalProperties: false },
  },
  required: ['target'],
  additionalProperties: false,
};

describe('a compiled schema', () => {
  test.each([
    [{ target: 20, mode: 'eco', net: { ssid: 'home' } }, undefined],
    [{ target: 120 }, 'target must be <= 90'],
    [{ target: 20, mode: 'party' }, 'mode must be one of ["eco","comfort"]'],
    [{ target: 20, color: 'red' }, 'it must not have color'],
    [{ target: 20, net: { psk: 1 } }, 'net must not have psk'],
    [{ target: 20, net: { ssid: 'HOME' } }, 'net.ssid must match pattern "^[a-z]+$"'],
    [{ mode: 'eco' }, 'it must have target'],
    [{ target: '20' }, 'target must be number'],
  ])('says of %j: %s', (value, fault) => {
    expect(new CompiledSchema(BOILER).fault(value)).toBe(fault);
  });

  test('is of draft 2020-12 unless it says that it is of draft 7', () => {
    const tuple = { prefixItems: [{ type: 'number' }], items: false };
    expect(new CompiledSchema({ properties: { a: tuple } }).fault({ a: [1, 2] })).toBe('a must NOT have more than 1 items');
    const old = { $schema: 'http://json-schema.org/draft-07/schema#', items: [{ type: 'number' }], additionalItems: false };
    expect(new CompiledSchema(old).fault([1, 2])).toBe('it must NOT have more than 1 items');
    expect(() => new CompiledSchema({ $schema: 'http://json-schema.org/draft-04/schema#' })).toThrow('"$schema" is one of');
  });

  test('knows formats, and only those whose checks are quick', () => {
    expect(new CompiledSchema({ properties: { at: { format: 'date-time' } } }).fault({ at: 'noon' })).toBe(
      'at must match format "date-time"',
    );
    expect(() => new CompiledSchema({ format: 'regex' })).toThrow('unknown format "regex"');
    for (const format of ['date', 'time', 'date-time', 'duration', 'email', 'hostname', 'ipv4', 'ipv6', 'uri', 'uuid']) {
      const schema = new CompiledSchema({ format });
      for (const part of ['a', '1', 'a@', 'a.', 'a-', ':', '::1', '1.', 'P1', 'http://', '%20', '/']) {
        expect(schema.fault(`${part.repeat(Math.ceil(8192 / part.length))}\n`)).toBeDefined();
      }
    }
  });

  test.each<[unknown, string]>([
    [[], 'a schema is a JSON object'],
    [{ properties: { a: { minimun: 3 } } }, 'there is no keyword "minimun"'],
    [{ properties: { a: { type: 'integr' } } }, 'the schema is not valid'],
    [{ properties: { a: 3 } }, 'neither an object nor true or false'],
    [{ $id: 'https://example.com/x' }, 'there is no keyword "$id"'],
    [{ $ref: 'https://example.com/x' }, '"$ref" names a schema of this one'],
    [{ $ref: '#/$defs/toString', $defs: {} }, '"$ref" names a schema of this one'],
    [{ $ref: '#/$defs/a', $defs: { a: { properties: { b: { $ref: '#/$defs/a' } } } } }, 'refers to itself'],
    [{ properties: { a: { pattern: '(a)\\1' } } }, 'refers back to a group'],
    [{ properties: { a: { uniqueItems: true } } }, '"uniqueItems" needs a "maxItems"'],
    [{ description: 'x'.repeat(40_000) }, 'at most 32768 characters'],
    [deep(40), 'nested deeper than 32'],
    [doubling(12), 'more than 2000 parts'],
  ])('is not made where it is too much or not right (%#)', (schema, why) => {
    expect(() => new CompiledSchema(schema)).toThrow(why);
  });

  test('finds what is wrong with a part of a value where nothing is required', () => {
    const part = new CompiledSchema(withoutRequired(BOILER));
    expect(part.fault({ mode: 'eco' })).toBeUndefined();
    expect(part.fault({ mode: 'party' })).toBe('mode must be one of ["eco","comfort"]');
    expect(part.fault({ net: { psk: 1 } })).toBe('net must not have psk');
  });

  test('keeps properties whose names are those of keywords', () => {
    const schema = { properties: { required: { type: 'number' }, if: { type: 'boolean' } } };
    expect(withoutRequired(schema)).toEqual(schema);
  });
});

function deep(levels: number): object {
  return levels === 0 ? {} : { not: deep(levels - 1) };
}

/** Small as text, and 2 to the power of `levels` once written out. */
function doubling(levels: number): object {
  const $defs: Record<string, object> = { d0: { type: 'number' } };
  for (let i = 1; i <= levels; i++) $defs[`d${i}`] = { allOf: [{ $ref: `#/$defs/d${i - 1}` }, { $ref: `#/$defs/d${i - 1}` }] };
  return { $ref: `#/$defs/d${levels}`, $defs };
}
