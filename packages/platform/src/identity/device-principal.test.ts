import { expect, test } from 'vitest';
import { parseDeviceId } from '../kernel/device-id.ts';
import { DevicePrincipal } from './device-principal.ts';
import { OpenAuthorizer } from './open-authorizer.ts';

const device = new DevicePrincipal(parseDeviceId('a.b'));

test.each(['telemetry/a.b', 'devices/a.b/x', 'devices/a.b/x/y'])('a device may publish and subscribe to its own %s', (topic) => {
  expect(device.mayPublish(topic)).toBe(true);
  expect(device.maySubscribe(topic)).toBe(true);
});

test.each(['devices/a.b/#', 'devices/a.b/+/state', 'devices/a.b/x/#'])('wildcards may stand within its own: %s', (filter) => {
  expect(device.maySubscribe(filter)).toBe(true);
});

test.each([
  'telemetry/a.c',
  'telemetry/a.bc',
  'telemetry/a.b/x',
  'telemetry/axb',
  'telemetry/+',
  'telemetry/#',
  'telemetry/a.b/#',
  '+/a.b',
  '#',
  '+/#',
  'devices/a.b',
  'devices/a.b/',
  'devices/a.c/x',
  'devices/+/x',
  'devices/#',
  'devices/a.bc/x',
  '$SYS/broker',
  '$share/group/telemetry/a.b',
  '$share/group/telemetry/+',
  '/telemetry/a.b',
  '',
])('a device may neither publish nor subscribe to %j', (topic) => {
  expect(device.mayPublish(topic)).toBe(false);
  expect(device.maySubscribe(topic)).toBe(false);
});

test('open access lets everyone everywhere, in one namespace, named after the device where there is one', async () => {
  const authorizer = new OpenAuthorizer();
  const named = await authorizer.authenticate({ clientId: 'c', username: 'boiler', password: undefined });
  expect([named.id, named.sessionNamespace, named.mayPublish('x'), named.maySubscribe('#')]).toEqual(['boiler', '', true, true]);
  expect((await authorizer.authenticate({ clientId: 'c', username: undefined, password: undefined })).id).toBe('anonymous');
  expect((await authorizer.authenticate({ clientId: 'c', username: 'not an id', password: undefined })).id).toBe('anonymous');
});
