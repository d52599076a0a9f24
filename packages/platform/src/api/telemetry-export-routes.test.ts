import { once } from 'node:events';
import { get, type ClientRequest } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { DeviceStore } from '../registry/device-store.ts';
import { addDevice, asAdmin, columns, openTestApi } from './api.fixture.ts';

/** Lists devices when the test lets it: of a million it takes seconds. */
class SlowDevices extends DeviceStore {
  asked = Promise.withResolvers<void>();
  answer: Promise<void> = Promise.resolve();

  override async list(...query: Parameters<DeviceStore['list']>): ReturnType<DeviceStore['list']> {
    this.asked.resolve();
    await this.answer;
    return await super.list(...query);
  }
}

test('exports that are broken off before they begin leave their place to others', async () => {
  let devices!: SlowDevices;
  await using api = await openTestApi(({ database, clock }) => ({ devices: (devices = new SlowDevices({ database, clock })) }));
  await addDevice(api, 'sensor1');
  api.telemetry.series = new Map([['t', columns([[1, 2]])]]);
  await api.app.listen({ port: 0, host: '127.0.0.1' });
  const url = `http://127.0.0.1:${(api.app.server.address() as AddressInfo).port}/api/v1/telemetry-export`;
  for (let exports = 0; exports < 4; exports++) {
    devices.asked = Promise.withResolvers();
    const listed = Promise.withResolvers<void>();
    devices.answer = listed.promise;
    const connected = once(api.app.server, 'connection') as Promise<[Socket]>;
    const request: ClientRequest = get(url, { headers: asAdmin, agent: false });
    request.on('error', () => undefined);
    const [socket] = await connected;
    await devices.asked.promise;
    request.destroy();
    await once(socket, 'close');
    await nextTurn();
    listed.resolve();
    await nextTurn();
  }
  const answer = await fetch(url, { headers: asAdmin });
  expect(answer.status).toBe(200);
  expect(await answer.text()).toBe('{"device":"sensor1","metric":"t","ts":1,"value":2}\n');
});

test('a place to go on from that is none is named once', async () => {
  await using api = await openTestApi();
  const answer = await api.app.inject({ url: '/api/v1/telemetry-export?format=csv&after=x', headers: asAdmin });
  expect(answer.json()).toMatchObject({ status: 400, detail: 'query after: must be a JSON array ["device","metric",ts]' });
});
