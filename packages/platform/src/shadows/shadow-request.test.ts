import { expect, test } from 'vitest';
import { parseToken, parseUpdate } from './shadow-request.ts';
import { AWS_LIMITS } from './shadow-rules.ts';

const parse = (body: unknown, limits = AWS_LIMITS) =>
  parseUpdate(body instanceof Uint8Array ? body : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)), limits);
const messageOf = (body: unknown) => parse(body).fault?.message;
const nested = (levels: number): unknown => (levels === 0 ? 1 : { k: nested(levels - 1) });

test('an update says what it writes, of which version, with which token', () => {
  expect(parse({ state: { desired: { a: 1 }, reported: null }, version: 3, clientToken: 't' })).toEqual({
    patch: { desired: { a: 1 }, reported: null },
    version: 3,
    clientToken: 't',
  });
  expect(parse({ state: {} })).toEqual({ patch: {}, version: undefined, clientToken: undefined });
  expect(parse({ state: null })).toMatchObject({ patch: { desired: null, reported: null } });
});

test.each([
  ['Invalid JSON', '{"state":'],
  ['Invalid JSON', ''],
  ['Invalid JSON', '[1]'],
  ['Missing required node: state', {}],
  ['State node must be an object', { state: 1 }],
  ['State node must be an object', { state: [] }],
  ['Desired node must be an object', { state: { desired: [] } }],
  ['Desired node must be an object', { state: { desired: 'x' } }],
  ['Reported node must be an object', { state: { reported: 1 } }],
  ['Invalid version', { state: {}, version: '1' }],
  ['Invalid version', { state: {}, version: 1.5 }],
  ['Invalid version', { state: {}, version: -1 }],
  ['Invalid clientToken', { state: {}, clientToken: 7 }],
  ['Invalid clientToken', { state: {}, clientToken: 'ä'.repeat(33) }],
  ['State contains an invalid node', { state: { delta: {} } }],
  ['State contains an invalid node', { state: { desired: { a: [1, null] } } }],
  ['State contains an invalid node', { state: { desired: { a: [{ b: null }] } } }],
  ['State contains an invalid node', { state: { desired: { a: [[null]] } } }],
  ['State contains an invalid node', '{"state":{"desired":{"__proto__":{"a":1}}}}'],
  ['State contains an invalid node', '{"state":{"desired":{"a":1e999}}}'],
  ['State contains an invalid node', '{"state":{"reported":{"a":[-1e999]}}}'],
  ['JSON contains too many levels of nesting; maximum is 8', { state: { desired: nested(9) } }],
  [
    'JSON contains too many levels of nesting; maximum is 8',
    { state: { reported: { a: { b: { c: { d: { e: { f: { g: [[1]] } } } } } } } } },
  ],
  ['The payload exceeds the maximum size allowed', { state: { desired: { a: 'x'.repeat(20_000) } } }],
  ['Unsupported documented encoding; supported encoding is UTF-8', Buffer.from([0x7b, 0xff, 0x7d])],
])('refused: %s', (message, body) => {
  expect(messageOf(body)).toBe(message);
});

test('eight levels are deep enough, and a token of 64 bytes is short enough', () => {
  expect(messageOf({ state: { desired: nested(8) }, clientToken: 'x'.repeat(64) })).toBeUndefined();
  expect(messageOf({ state: { desired: { a: { b: { c: { d: { e: { f: { g: [1] } } } } } } } } })).toBeUndefined();
  expect(parse({ state: { desired: nested(3) } }, { ...AWS_LIMITS, maxLevels: 2 }).fault?.message).toContain('maximum is 2');
  expect(messageOf(`${'[['.repeat(4_000)}`)).toBe('Invalid JSON');
});

test.each([
  [`{"clientToken":"t","state":`],
  [`{"state":{"desired":{"a":"${'x'.repeat(20_000)}"}},"clientToken" : "t"}`],
  [`{"clientToken":"t","state":{"desired":{"a":"${'x'.repeat(20_000)}"}}}`],
  [`{"state":7,"clientToken":"t"}`],
  [`{"state":{"desired":1},"clientToken":"t"}`],
])('a refusal carries the token: %#', (text) => {
  expect(parse(text)).toMatchObject({ fault: {}, clientToken: 't' });
});

test('of a get or a delete only the token counts', () => {
  const token = (text: string) => parseToken(Buffer.from(text));
  expect(token('')).toEqual({ clientToken: undefined, fault: undefined });
  expect(token('{}')).toEqual({ clientToken: undefined, fault: undefined });
  expect(token('{"version":3,"clientToken":"t"}')).toEqual({ clientToken: 't', fault: undefined });
  expect(token('hello')).toEqual({ clientToken: undefined, fault: undefined });
  expect(token(JSON.stringify({ clientToken: 'x'.repeat(65) }))).toMatchObject({
    clientToken: 'x'.repeat(65),
    fault: { message: 'Invalid clientToken' },
  });
});
