import { expect, it } from 'vitest';
import { type EndpointDoor, isLoopbackAddress, parsePublicEndpoints, PublicEndpoints } from './public-endpoints.ts';

const DOORS: readonly EndpointDoor[] = [
  { kind: 'mqtt', host: '127.0.0.1', port: 1883 },
  { kind: 'mqtts', host: '0.0.0.0', port: 8883 },
  { kind: 'wss', host: '::', port: 8084, path: '/mqtt' },
];
const endpoints = new PublicEndpoints({ doors: DOORS, setting: undefined });

it('they stand under the name that was asked, without the port that it was asked at', () => {
  const expected = { mqtt: 'mqtt://iot.local:1883', mqtts: 'mqtts://iot.local:8883', wss: 'wss://iot.local:8084/mqtt' };
  for (const host of ['iot.local', 'iot.local:8443']) expect(endpoints.for({ host, isLocal: true })).toEqual(expected);
  expect(endpoints.for({ host: '[2001:db8::1]:8443', isLocal: true }).mqtts).toBe('mqtts://[2001:db8::1]:8883');
});

it('who comes from afar is not sent to what is bound to loopback', () => {
  expect(Object.keys(endpoints.for({ host: '192.0.2.1', isLocal: false }))).toEqual(['mqtts', 'wss']);
});

it.each([undefined, '', 'a b', 'x@y', 'a/b', '"', 'a\r\nb', '[::1', `${'x'.repeat(300)}`])(
  'what is no host name is not repeated: %j',
  (host) => {
    expect(endpoints.for({ host, isLocal: true })).toEqual({
      mqtt: 'mqtt://127.0.0.1:1883',
      mqtts: 'mqtts://127.0.0.1:8883',
      wss: 'wss://[::1]:8084/mqtt',
    });
  },
);

it('a setting is told as it is', () => {
  const setting = parsePublicEndpoints('{"mqtts":"mqtts://iot.example.com:443"}');
  expect(new PublicEndpoints({ doors: DOORS, setting }).for({ host: 'x', isLocal: true })).toEqual({
    mqtts: 'mqtts://iot.example.com:443',
  });
  expect(parsePublicEndpoints('')).toBeUndefined();
});

it.each(['x', '[]', 'null', '{"amqp":"amqp://x"}', '{"mqtts":"https://x"}', '{"mqtts":1}', '{"mqtts":""}'])(
  'a setting that is none is refused: %s',
  (text) => {
    expect(() => parsePublicEndpoints(text)).toThrow(/^must be/);
  },
);

it.each([
  ['127.0.0.1', true],
  ['127.9.9.9', true],
  ['::1', true],
  ['::ffff:127.0.0.1', true],
  ['localhost', true],
  ['127.0.0.1.example.com', false],
  ['10.0.0.1', false],
  ['::ffff:10.0.0.1', false],
  ['0.0.0.0', false],
  ['', false],
])('%s is on this machine: %s', (address, expected) => {
  expect(isLoopbackAddress(address)).toBe(expected);
});
