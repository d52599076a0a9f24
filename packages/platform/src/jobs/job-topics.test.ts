import { describe, expect, test } from 'vitest';
import { failedJob, isJobTopic, parseJobTopic, throttledJob } from './job-topics.ts';

const J = '$aws/things/my:thing_1.x/jobs';
const device = 'my:thing_1.x';

describe('topics of jobs', () => {
  test('tell what is asked', () => {
    expect(parseJobTopic(`${J}/get`)).toEqual({ device, operation: 'pending' });
    expect(parseJobTopic(`${J}/start-next`)).toEqual({ device, operation: 'start-next' });
    expect(parseJobTopic(`${J}/j-1_A/get`)).toEqual({ device, operation: 'describe', job: 'j-1_A' });
    expect(parseJobTopic(`${J}/$next/get`)).toEqual({ device, operation: 'describe', job: '$next' });
    expect(parseJobTopic(`${J}/j1/update`)).toEqual({ device, operation: 'update', job: 'j1' });
    expect(parseJobTopic(`${J}/get/get`)).toEqual({ device, operation: 'describe', job: 'get' });
  });

  test.each(['', 'j1', 'j1/', '/get', 'j1/delete', 'j1/get/x', '$next/update', '$other/get', 'j 1/get', `${'j'.repeat(65)}/get`])(
    'that belong to no operation are claimed all the same, to be refused: %s',
    (rest) => {
      expect(parseJobTopic(`${J}/${rest}`)).toEqual({ device, operation: undefined });
    },
  );

  test.each([
    `${J}/get/accepted`,
    `${J}/j1/update/rejected`,
    `${J}/notify`,
    `${J}/notify-next`,
    J,
    '$aws/things/t/shadow/get',
    '$aws/things/t/jobsx/get',
    '$aws/things//jobs/get',
    '$aws/things/a+b/jobs/get',
    'x/$aws/things/t/jobs/get',
    '$aws/things',
  ])('leave alone what is no request: %s', (topic) => {
    expect(isJobTopic(topic)).toBe(false);
  });

  test('have refusals that a client knows as its own', () => {
    const payload = Buffer.from('{"status":"SUCCEEDED","clientToken":"t\\"1"}');
    const read = (bytes: Uint8Array): unknown => JSON.parse(Buffer.from(bytes).toString());
    const throttled = throttledJob(`${J}/j1/update`, payload, 5_999);
    expect(throttled.topic).toBe(`${J}/j1/update/rejected`);
    expect(read(throttled.payload)).toMatchObject({ code: 'RequestThrottled', clientToken: 't"1', timestamp: 5 });
    expect(read(failedJob(`${J}/get`, Buffer.from('no json'), 0).payload)).toMatchObject({ code: 'InternalError', timestamp: 0 });
    const large = Buffer.concat([Buffer.from(`{"a":"${'x'.repeat(100_000)}"`), Buffer.from(',"clientToken":"end"}')]);
    expect(read(failedJob(`${J}/get`, large, 0).payload)).toMatchObject({ clientToken: 'end' });
  });
});
