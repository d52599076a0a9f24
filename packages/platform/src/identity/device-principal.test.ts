import { expect, test } from 'vitest';
import { DevicePrincipal } from './device-principal.ts';
import type { CompiledPolicies } from './policies/compiled-policies.ts';
import { openDefaultPolicies } from './policies/default-policies.fixture.ts';
import { OpenAuthorizer } from './open-authorizer.ts';

const policies: CompiledPolicies = await openDefaultPolicies();
const device = deviceOf('a.b');

/** A device of the root group, with the policies that there are from the start. */
function deviceOf(id: string): DevicePrincipal {
  const facts = { deviceId: id, clientId: id, type: undefined, group: '/', attributes: {} };
  return new DevicePrincipal({ id, clientId: id, policies, values: policies.valuesFor(facts) });
}

test.each(['telemetry/a.b', 'devices/a.b/x', 'devices/a.b/x/y'])('a device may publish and subscribe to its own %s', (topic) => {
  expect(device.mayPublish(topic)).toBe(true);
  expect(device.maySubscribe(topic)).toBe(true);
  expect(device.mayReceive(topic)).toBe(true);
});

test.each(['devices/a.b/#', 'devices/a.b/+/state', 'devices/a.b/x/#'])('wildcards may stand within its own: %s', (filter) => {
  expect(device.maySubscribe(filter)).toBe(true);
});

test.each(['$share/g/telemetry/a.b', '$share/telemetry/devices/a.b/#', '$share/g/devices/a.b/+/x'])(
  'a shared subscription within its own is allowed: %s',
  (filter) => {
    expect(device.maySubscribe(filter)).toBe(true);
    expect([device.mayPublish(filter), device.mayReceive(filter)]).toEqual([false, false]);
  },
);

test('no shared filter is open to two devices, so that they never share a group', () => {
  const others = ['a.bc', 'a', 'b', 'A.b', 'devices', 'a.b.'].map((id) => deviceOf(id));
  for (const filter of [
    '$share/g/telemetry/a.b',
    '$share/a.bc/telemetry/a.b',
    '$share/g/devices/a.b/#',
    '$share/g/devices/a.b/x',
  ]) {
    expect(device.maySubscribe(filter)).toBe(true);
    for (const other of others) expect(other.maySubscribe(filter)).toBe(false);
  }
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
  'devices/a.c/x',
  'devices/+/x',
  'devices/#',
  'devices/a.bc/x',
  '$SYS/broker',
  '$SYS/#',
  '$SYS/broker/clients/connected',
  '$aws/events/#',
  '$aws/events/presence/connected/a.b',
  '$share/group/telemetry/+',
  '$share/group/telemetry/a.c',
  '$share/group/telemetry/#',
  '$share/group/#',
  '$share/group/$SYS/#',
  '$share/telemetry/a.b',
  '$share/+/telemetry/a.b',
  '$share//telemetry/a.b',
  '$share/g/$share/g/telemetry/a.b',
  '$share/',
  '/telemetry/a.b',
  '',
])('a device may neither publish nor subscribe to %j, nor is it delivered', (topic) => {
  expect(device.mayPublish(topic)).toBe(false);
  expect(device.mayReceive(topic)).toBe(false);
  expect(device.maySubscribe(topic)).toBe(false);
});

test('open access lets everyone everywhere, in one namespace, named after the device where there is one', async () => {
  const authorizer = new OpenAuthorizer();
  const named = await authorizer.authenticate({ username: 'boiler' });
  expect([named.id, named.sessionNamespace, named.mayPublish('x'), named.maySubscribe('#')]).toEqual(['boiler', '', true, true]);
  expect((await authorizer.authenticate({ username: undefined })).id).toBe('anonymous');
  expect((await authorizer.authenticate({ username: 'not an id' })).id).toBe('anonymous');
});
