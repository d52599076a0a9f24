import { encode } from 'cborg';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MAX_ANSWER_BYTES } from './command.ts';
import { AnswerError, readAnswer } from './command-answers.ts';

const text = (value: unknown): Uint8Array => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value));

test.each([
  [
    { status: 'succeeded', payload: { a: 1 } },
    { kind: 'succeeded', payload: { a: 1 } },
  ],
  [
    { status: 'failed', reason: 'too hot', payload: 80 },
    { kind: 'failed', reason: 'too hot', payload: 80 },
  ],
  [
    { status: 'progress', payload: 40 },
    { kind: 'progress', payload: 40 },
  ],
  [{ status: 'succeeded' }, { kind: 'succeeded' }],
  // Not in our words: it is the answer itself.
  [{ status: 'open' }, { kind: 'succeeded', payload: { status: 'open' } }],
  [{ status: 'constructor' }, { kind: 'succeeded', payload: { status: 'constructor' } }],
  [{ temp: 3 }, { kind: 'succeeded', payload: { temp: 3 } }],
  [[1, 2], { kind: 'succeeded', payload: [1, 2] }],
  ['null', { kind: 'succeeded', payload: null }],
  ['', { kind: 'succeeded' }],
  ['done', { kind: 'succeeded', payload: 'done' }],
])('of Selsyn: %j', (said, expected) => {
  expect(readAnswer('selsyn', text(said))).toEqual(expected);
});

test('bytes that are no text are kept in base64, too many are not kept, and deep JSON is a text', () => {
  expect(readAnswer('selsyn', Uint8Array.of(0xff, 0))).toEqual({ kind: 'succeeded', payload: { base64: '/wA=' } });
  expect(readAnswer('selsyn', new Uint8Array(MAX_ANSWER_BYTES + 1))).toEqual({
    kind: 'succeeded',
    reason: expect.stringContaining(`${MAX_ANSWER_BYTES + 1} bytes`),
  });
  const deep = '['.repeat(1_000) + ']'.repeat(1_000);
  expect(readAnswer('thingsboard', text(deep))).toEqual({ kind: 'succeeded', payload: deep });
});

test('of ThingsBoard whatever it is is the payload', () => {
  expect(readAnswer('thingsboard', text({ status: 'failed' }))).toEqual({ kind: 'succeeded', payload: { status: 'failed' } });
});

test.each([
  [
    { status: 'SUCCEEDED', result: { temp: { s: '3' } } },
    { kind: 'succeeded', payload: { temp: { s: '3' } } },
  ],
  [{ status: 'IN_PROGRESS' }, { kind: 'progress' }],
  [
    { status: 'FAILED', statusReason: { reasonCode: '500', reasonDescription: 'jammed' } },
    { kind: 'failed', reason: '500: jammed' },
  ],
  [{ status: 'REJECTED' }, { kind: 'failed', reason: 'REJECTED' }],
  [
    { status: 'TIMED_OUT', statusReason: 7 },
    { kind: 'failed', reason: 'TIMED_OUT' },
  ],
])('of AWS, in JSON and in CBOR: %j', (said, expected) => {
  expect(readAnswer('aws-json', text(said))).toEqual(expected);
  expect(readAnswer('aws-cbor', encode(said))).toEqual(expected);
});

test('bytes in an answer of AWS in CBOR are kept in base64', () => {
  const said = { status: 'SUCCEEDED', result: { image: { bin: Uint8Array.of(1, 2) }, list: [Uint8Array.of(3)] } };
  expect(readAnswer('aws-cbor', encode(said)).payload).toEqual({ image: { bin: 'AQI=' }, list: ['Aw=='] });
});

test.each(['', '{', '[]', '{}', '{"status":"DONE"}', '{"status":"toString"}', '{"status":1}'])('of AWS %j is refused', (said) => {
  expect(() => readAnswer('aws-json', text(said))).toThrow(AnswerError);
});

test('no bytes do anything but what is said here', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      for (const flavour of ['selsyn', 'thingsboard', 'aws-json', 'aws-cbor'] as const) {
        try {
          const word = readAnswer(flavour, bytes);
          expect(JSON.parse(JSON.stringify(word))).toEqual(word);
        } catch (error) {
          expect(error).toBeInstanceOf(AnswerError);
          expect(flavour.startsWith('aws')).toBe(true);
        }
      }
    }),
  );
});
