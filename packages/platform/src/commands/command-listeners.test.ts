import { expect, test } from 'vitest';
import { CommandListeners } from './command-listeners.ts';

const link = (client: string, gateway = 0) => ({ gateway, client });
const said = (clientId: string, filters: readonly string[], principalId = clientId, gateway = 0) => ({
  filters,
  clientId,
  principalId,
  from: link(clientId, gateway),
  resumed: false,
});

test('the client that came last gets the commands, the device itself before all others', () => {
  const listeners = new CommandListeners();
  expect([...listeners.add(said('d1', ['devices/d1/commands/+']))]).toEqual(['d1']);
  listeners.add(said('d1-second', ['devices/d1/commands/+'], 'd1'));
  expect(listeners.of('d1')?.link.client).toBe('d1-second');
  listeners.add(said('gateway', ['devices/d1/commands/+', 'devices/d2/commands/+'], 'gateway'));
  expect(listeners.of('d1')?.link.client).toBe('d1-second');
  expect(listeners.of('d2')).toMatchObject({ link: link('gateway'), isDevice: false });
  listeners.remove(link('d1-second'));
  expect(listeners.of('d1')?.link.client).toBe('d1');
  listeners.remove(link('d1'));
  expect(listeners.of('d1')?.link.client).toBe('gateway');
  listeners.remove(link('gateway'));
  expect([listeners.of('d1'), listeners.of('d2'), listeners.size]).toEqual([undefined, undefined, 0]);
});

test('who names no device means itself', () => {
  const listeners = new CommandListeners();
  expect([...listeners.add(said('c', ['devices/+/commands/+', 'v1/devices/me/rpc/request/+'], 'd1'))]).toEqual(['d1']);
  expect(listeners.add(said('c', ['devices/d1/status'], 'd1')).size).toBe(0);
});

test('a client that knows several forms speaks the one that it was written for, however it subscribes', () => {
  const own = 'devices/d1/#';
  const aws = '$aws/commands/things/d1/executions/+/request/json';
  const cbor = '$aws/commands/things/d1/executions/+/request/cbor';
  const rpc = 'v1/devices/me/rpc/request/+';
  for (const [filters, flavour] of [
    [[own], 'selsyn'],
    [[own, aws], 'aws-json'],
    [[cbor, own], 'aws-cbor'],
    [[own, rpc], 'thingsboard'],
  ] as const) {
    const together = new CommandListeners();
    together.add(said('d1', filters));
    expect(together.of('d1')?.flavour).toBe(flavour);
    const apart = new CommandListeners();
    for (const filter of filters) apart.add(said('d1', [filter]));
    expect(apart.of('d1')?.flavour).toBe(flavour);
  }
  const back = new CommandListeners();
  back.add(said('d1', [aws]));
  back.remove(link('d1'));
  back.add(said('d1', [own]));
  expect(back.of('d1')?.flavour).toBe('selsyn');
});

test('a client that has moved to another thread is not gone with its old connection', () => {
  const listeners = new CommandListeners();
  listeners.add(said('d1', ['devices/d1/#'], 'd1', 0));
  listeners.add(said('d1', ['devices/d1/#'], 'd1', 1));
  listeners.remove(link('d1', 0));
  expect(listeners.of('d1')?.link.gateway).toBe(1);
});
