import { filterMatches } from '@selsyn/wire/topics/topic-filter.ts';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  commandTopic,
  failedCommand,
  isCommandTopic,
  parseCommandFilter,
  parseDeviceTopic,
  requestAnswerTopic,
  throttledCommand,
  type Flavour,
} from './command-topics.ts';

test.each([
  ['devices/d1/commands/C/answer', { kind: 'answer', flavour: 'selsyn', device: 'd1', command: 'C' }],
  ['devices/d1/requests/7', { kind: 'request', flavour: 'selsyn', device: 'd1', request: '7' }],
  ['$aws/commands/things/d1/executions/C/response/json', { kind: 'answer', flavour: 'aws-json', device: 'd1', command: 'C' }],
  ['$aws/commands/things/d1/executions/C/response/cbor', { kind: 'answer', flavour: 'aws-cbor', device: 'd1', command: 'C' }],
  ['v1/devices/me/rpc/response/12', { kind: 'answer', flavour: 'thingsboard', device: undefined, command: '12' }],
  ['v1/devices/me/rpc/request/12', { kind: 'request', flavour: 'thingsboard', device: undefined, request: '12' }],
])('%s is asked or answered by a device', (topic, expected) => {
  expect(parseDeviceTopic(topic)).toEqual(expected);
  expect(isCommandTopic(topic)).toBe(true);
});

test.each([
  'devices/d1/commands/C',
  'devices/d1/commands/C/answer/x',
  'devices/d1/commands//answer',
  'devices/d1/requests/7/answer',
  'devices/d1/requests/',
  'devices/d1/requests',
  `devices/d1/requests/${'x'.repeat(129)}`,
  'devices/d/1/commands/C/answer',
  'devices//commands/C/answer',
  'devices/d1/status',
  'devices/d1/certificate/renew',
  '$aws/commands/things/d1/executions/C/request/json',
  '$aws/commands/things/d1/executions/C/response/accepted/json',
  '$aws/commands/things/d1/executions/C/response/xml',
  '$aws/commands/things/d1/executions/C/response',
  '$aws/things/d1/shadow/update',
  'v1/devices/me/telemetry',
  'v1/devices/me/attributes',
  'telemetry/d1',
])('%s is an ordinary topic', (topic) => {
  expect(parseDeviceTopic(topic)).toBeUndefined();
  expect(isCommandTopic(topic)).toBe(false);
});

test('nothing that a device publishes under the topics that all devices share goes to others', () => {
  for (const topic of ['request/x', 'response/1x', 'response/', 'request', 'request/1/2', '', 'x/1', 'request/+']) {
    expect([topic, isCommandTopic(`v1/devices/me/rpc/${topic}`)]).toEqual([topic, true]);
    expect(parseDeviceTopic(`v1/devices/me/rpc/${topic}`)).toEqual({ kind: 'nothing' });
  }
});

const PLACE = { device: 'd1', id: '0123456789ABCDEFGHJKMNPQRS', number: 12 };
const FLAVOURS: readonly Flavour[] = ['selsyn', 'aws-json', 'aws-cbor', 'thingsboard'];

test.each([
  ['devices/d1/commands/+', 'selsyn', 'd1'],
  ['devices/d1/commands/#', 'selsyn', 'd1'],
  ['devices/d1/#', 'selsyn', 'd1'],
  ['devices/d1/+/+', 'selsyn', 'd1'],
  ['devices/+/commands/+', 'selsyn', undefined],
  ['devices/d1/commands/+/#', 'selsyn', 'd1'],
  ['$aws/commands/things/d1/executions/+/request/json', 'aws-json', 'd1'],
  ['$aws/commands/things/d1/executions/+/request/+', 'aws-json', 'd1'],
  ['$aws/commands/things/d1/#', 'aws-json', 'd1'],
  ['$aws/commands/things/+/executions/+/request/cbor', 'aws-cbor', undefined],
  ['v1/devices/me/rpc/request/+', 'thingsboard', undefined],
  ['v1/devices/me/rpc/+/+', 'thingsboard', undefined],
  ['v1/devices/me/#', 'thingsboard', undefined],
])('a subscription to %s brings commands', (filter, flavour, device) => {
  expect(parseCommandFilter(filter)).toEqual({ flavour, device });
});

test.each([
  '#',
  '+/+/commands/+',
  'devices/#',
  'devices/d1/commands/+/answer',
  'devices/d1/requests/+/answer',
  'devices/d1/commands/C',
  'devices/d1/status',
  '$aws/commands/things/d1/executions/+/response/accepted/json',
  '$aws/commands/things/d1/executions/C/request/json',
  '$aws/things/d1/shadow/update/delta',
  'v1/devices/me/rpc/response/+',
  'v1/devices/me/attributes',
])('a subscription to %s brings none', (filter) => {
  expect(parseCommandFilter(filter)).toBeUndefined();
});

test('whoever is taken for a listener gets the messages by its filter', () => {
  const level = fc.constantFrom(
    'devices',
    'd1',
    'd2',
    'commands',
    '+',
    '#',
    '$aws',
    'things',
    'executions',
    'request',
    'json',
    'cbor',
    'v1',
    'me',
    'rpc',
  );
  fc.assert(
    fc.property(fc.array(level, { minLength: 1, maxLength: 8 }), (levels) => {
      const end = levels.indexOf('#');
      const filter = (end < 0 ? levels : levels.slice(0, end + 1)).join('/');
      const found = parseCommandFilter(filter);
      if (found !== undefined) {
        const device = found.device ?? 'd1';
        expect([filter, filterMatches(filter, commandTopic(found.flavour, { ...PLACE, device }))]).toEqual([filter, true]);
      }
    }),
    { numRuns: 3_000 },
  );
  for (const flavour of FLAVOURS) {
    const topic = commandTopic(flavour, PLACE);
    expect(isCommandTopic(topic)).toBe(flavour === 'thingsboard');
  }
});

test('a request too many is answered on its own topic; an answer to a command is never too many', () => {
  expect(throttledCommand('devices/d1/commands/C/answer')).toBeUndefined();
  expect(throttledCommand('v1/devices/me/rpc/response/1')).toBeUndefined();
  expect(throttledCommand('$aws/commands/things/d1/executions/C/response/json')).toBeUndefined();
  const said = throttledCommand('devices/d1/requests/7')!;
  expect(said.topic).toBe('devices/d1/requests/7/answer');
  expect(JSON.parse(Buffer.from(said.payload).toString())).toMatchObject({ status: 'failed', code: 'too-many' });
  const rpc = throttledCommand('v1/devices/me/rpc/request/7')!;
  expect(rpc.topic).toBe('v1/devices/me/rpc/response/7');
  expect(JSON.parse(Buffer.from(rpc.payload).toString())).toMatchObject({ error: expect.stringContaining('too many') });
});

test('a request that could not be done is told so where there is a topic for it', () => {
  expect(failedCommand('devices/d1/commands/C/answer')).toBeUndefined();
  expect(failedCommand('devices/d1/requests/7')!.topic).toBe('devices/d1/requests/7/answer');
  const aws = failedCommand('$aws/commands/things/d1/executions/C/response/json')!;
  expect(aws.topic).toBe('$aws/commands/things/d1/executions/C/response/rejected/json');
  expect(JSON.parse(Buffer.from(aws.payload).toString())).toMatchObject({ error: 'InternalFailure', executionId: 'C' });
});

test('the answer to a request goes to the topic beside it', () => {
  const of = (topic: string): string => {
    const parsed = parseDeviceTopic(topic);
    return parsed?.kind === 'request' ? requestAnswerTopic(parsed) : '';
  };
  expect(of('devices/d1/requests/a-1')).toBe('devices/d1/requests/a-1/answer');
  expect(of('v1/devices/me/rpc/request/5')).toBe('v1/devices/me/rpc/response/5');
});
