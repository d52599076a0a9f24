import { afterAll, beforeAll, expect, it } from 'vitest';
import { RawClient } from '../harness/mqtt-client.ts';
import { Selsyn } from '../harness/selsyn.ts';

const NOT_AUTHORIZED = 0x87;
let selsyn: Selsyn;
beforeAll(async () => {
  selsyn = await Selsyn.start({ settings: ['gateway.threads=2'] });
});
afterAll(async () => await selsyn[Symbol.asyncDispose]());

async function ask(method: string, path: string, body?: object): Promise<void> {
  const headers = body === undefined ? undefined : { 'content-type': 'application/json' };
  const answer = await selsyn.fetch(path, { method, ...(headers !== undefined && { headers }), body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
}

/** As the one unit of a device that keeps its session. */
async function connect(device: string, token: string, heard: string[] = []) {
  return await RawClient.connect({
    port: selsyn.mqttPort,
    onPacket: (packet) => void (packet.type === 'publish' && heard.push(packet.text)),
    connect: {
      clientId: 'unit',
      username: device,
      password: Buffer.from(token),
      cleanStart: false,
      properties: { sessionExpirySec: 600 },
    },
  });
}

it('a device that comes back under the id of one that was removed has nothing of it', async () => {
  const old = await selsyn.addDevice('phoenix');
  const other = await connect('neighbour', await selsyn.addDevice('neighbour'));
  const statements = [{ effect: 'allow', actions: ['publish', 'subscribe'], topics: ['plant/#'] }];
  await ask('PUT', '/api/v1/policies/wide', { description: '', document: { statements } });
  for (const id of ['phoenix', 'neighbour']) await ask('POST', '/api/v1/policies/wide/targets', { kind: 'device', id });
  const first = await connect('phoenix', old);
  await first.subscribe([{ filter: 'plant/#', qos: 1 }]);
  first.destroy();
  await first.closed;
  const again = await connect('phoenix', old);
  expect(again.connack.sessionPresent).toBe(true);
  again.destroy();
  await again.closed;
  await other.publish('plant/a', 'for the old one', { qos: 1 });

  await ask('DELETE', '/api/v1/devices/phoenix');
  const heard: string[] = [];
  const fresh = await connect('phoenix', await selsyn.addDevice('phoenix'), heard);
  expect(fresh.connack.sessionPresent).toBe(false);
  await expect(connect('phoenix', old)).rejects.toThrow('CONNECT was refused');
  await other.publish('plant/a', 'for nobody', { qos: 1 });
  expect(await fresh.publish('plant/a', 'x', { qos: 1 })).toBe(NOT_AUTHORIZED);
  expect((await fresh.subscribe([{ filter: 'plant/#', qos: 1 }])).reasonCodes).toEqual([NOT_AUTHORIZED]);
  expect(heard).toEqual([]);
  expect(await (await selsyn.fetch('/api/v1/policies/wide/targets')).json()).toEqual({
    items: [{ kind: 'device', id: 'neighbour' }],
  });
});
