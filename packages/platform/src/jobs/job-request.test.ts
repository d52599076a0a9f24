import { describe, expect, test } from 'vitest';
import { parseJobRequest } from './job-request.ts';
import type { JobTopic } from './job-topics.ts';

const UPDATE: JobTopic = { device: 'd', operation: 'update', job: 'j' };
const START: JobTopic = { device: 'd', operation: 'start-next' };
const DESCRIBE: JobTopic = { device: 'd', operation: 'describe', job: '$next' };

function parse(topic: JobTopic, body: unknown): ReturnType<typeof parseJobRequest> {
  return parseJobRequest(topic, typeof body === 'string' ? Buffer.from(body) : Buffer.from(JSON.stringify(body)));
}

function codeOf(topic: JobTopic, body: unknown): string | undefined {
  return parse(topic, body).asked.fault?.code;
}

describe('a request', () => {
  test('takes an empty payload for an empty object', () => {
    expect(parse({ device: 'd', operation: 'pending' }, '')).toEqual({
      clientToken: undefined,
      asked: { request: { operation: 'pending', device: 'd' } },
    });
  });

  test('has all that AWS says of an update', () => {
    const body = {
      status: 'FAILED',
      statusDetails: { a: 'b' },
      expectedVersion: 3,
      executionNumber: 2,
      includeJobExecutionState: true,
      includeJobDocument: true,
      stepTimeoutInMinutes: 5,
      clientToken: 't',
    };
    expect(parse(UPDATE, body)).toEqual({
      clientToken: 't',
      asked: {
        request: {
          operation: 'update',
          device: 'd',
          job: 'j',
          number: 2,
          report: { status: 'FAILED', details: { a: 'b' }, stepTimeoutMs: 300_000 },
          expectedVersion: 3,
          withState: true,
          withDocument: true,
        },
      },
    });
  });

  test('describes whatever is next with its document unless told otherwise', () => {
    expect(parse(DESCRIBE, {}).asked).toEqual({
      request: { operation: 'describe', device: 'd', job: undefined, number: undefined, withDocument: true },
    });
    expect(parse(DESCRIBE, { includeJobDocument: false }).asked).toMatchObject({ request: { withDocument: false } });
  });

  test('takes numbers as texts, as the device SDK for C++ sends them, and null for nothing', () => {
    expect(parse(UPDATE, { status: 'SUCCEEDED', expectedVersion: '1', executionNumber: null }).asked).toMatchObject({
      request: { expectedVersion: 1, number: undefined },
    });
  });

  test('clears the step timer by -1, and takes 1 to 10080 minutes', () => {
    expect(parse(START, { stepTimeoutInMinutes: -1 }).asked).toMatchObject({ request: { stepTimeoutMs: null } });
    expect(parse(START, { stepTimeoutInMinutes: 10_080 }).asked).toMatchObject({ request: { stepTimeoutMs: 604_800_000 } });
    for (const minutes of [0, -2, 10_081, 1.5, 'x', true])
      expect(codeOf(START, { stepTimeoutInMinutes: minutes })).toBe('InvalidRequest');
  });

  test.each([undefined, 'QUEUED', 'CANCELED', 'TIMED_OUT', 'REMOVED', 'SUCCESS', 1, null])(
    'to update must have a status that a device may set, which %s is not',
    (status) => {
      expect(codeOf(UPDATE, { status })).toBe('InvalidRequest');
    },
  );

  test.each([
    [[], 'no object'],
    ['x', 'no object'],
    [{ a: 1 }, 'no text'],
    [{ a: null }, 'no text'],
    [{ a: '' }, 'an empty value'],
    [{ a: 'x'.repeat(1025) }, 'too long a value'],
    [{ a: 'x\ny' }, 'a control character'],
    [{ '': 'x' }, 'an empty name'],
    [{ 'a b': 'x' }, 'a space in the name'],
    [{ ['n'.repeat(129)]: 'x' }, 'too long a name'],
    [Object.fromEntries(Array.from({ length: 51 }, (_, i) => [`n${i}`, 'x'])), '51 entries'],
  ])('refuses as status details %j: %s', (statusDetails: unknown, _why) => {
    expect(codeOf(UPDATE, { status: 'IN_PROGRESS', statusDetails })).toBe('InvalidRequest');
    expect(codeOf(START, { statusDetails })).toBe('InvalidRequest');
  });

  test('takes status details up to their limits, in any script', () => {
    const statusDetails = Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`${i}-`.padEnd(128, 'n'), 'ä'.repeat(1024)]));
    expect(parse(START, { statusDetails }).asked).toMatchObject({ request: { details: statusDetails } });
  });

  test('that is no JSON is told so, with its token where one can be found', () => {
    expect(parse(START, '{"clientToken":"t1","status":')).toMatchObject({
      clientToken: 't1',
      asked: { fault: { code: 'InvalidJson' } },
    });
    expect(parseJobRequest(START, Buffer.from([0x7b, 0xff, 0x7d])).asked).toMatchObject({ fault: { code: 'InvalidJson' } });
    expect(codeOf(START, '[]')).toBe('InvalidRequest');
    expect(codeOf(START, 'null')).toBe('InvalidRequest');
  });

  test('with a token that is too long or no text is refused', () => {
    expect(codeOf(START, { clientToken: 'x'.repeat(65) })).toBe('InvalidRequest');
    expect(codeOf(START, { clientToken: 1 })).toBe('InvalidRequest');
    expect(parse(START, { clientToken: 'x'.repeat(64) }).clientToken).toBe('x'.repeat(64));
  });

  test('whose fields are of the wrong kind is refused, and keeps its token', () => {
    for (const wrong of [
      { expectedVersion: {} },
      { expectedVersion: -1 },
      { executionNumber: 1.5 },
      { includeJobDocument: 'yes' },
    ])
      expect(parse(UPDATE, { status: 'FAILED', clientToken: 't', ...wrong })).toMatchObject({
        clientToken: 't',
        asked: { fault: { code: 'InvalidRequest' } },
      });
  });

  test('at a topic of no operation is InvalidTopic', () => {
    expect(codeOf({ device: 'd', operation: undefined }, {})).toBe('InvalidTopic');
  });
});
