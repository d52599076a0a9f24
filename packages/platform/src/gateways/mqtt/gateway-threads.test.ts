import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import mqtt, { type IClientOptions, type MqttClient } from 'mqtt';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type LocalBusControl, newLocalBus, portsOf } from '../../bus/drivers/local/local-bus.ts';
import { slotOf } from '../../bus/slot.ts';
import type { TestThreadData, TestThreadState } from './gateway-thread.fixture.ts';
import { newRelay, relayPortsOf } from './relay.ts';

const SCRIPT = new URL('./gateway-thread.fixture.ts', import.meta.url);
const CLIENTS = 32;

describe.each([
  { how: 'that share a port', reusePort: true },
  { how: 'of which one listens for both', reusePort: false },
])('two gateway threads $how', ({ reusePort }) => {
  let workers: Worker[];
  let exits: Promise<unknown>[];
  let control: LocalBusControl;
  let port: number;

  beforeEach(async () => {
    const bus = newLocalBus(2);
    const relays = newRelay(2);
    control = bus.control;
    workers = [];
    exits = [];
    port = 0;
    for (const [index, seat] of bus.seats.entries()) {
      const relaySeat = relays[index];
      if (relaySeat === undefined) throw new Error('two seats');
      const workerData: TestThreadData = { seat, relaySeat, port, reusePort };
      const worker = new Worker(SCRIPT, { workerData, transferList: [...portsOf(seat), ...relayPortsOf(relaySeat)] });
      workers.push(worker);
      exits.push(once(worker, 'exit'));
      port = ((await once(worker, 'message')) as [number | undefined])[0] ?? port;
    }
  });
  afterEach(async () => {
    // At once, as the platform does: each still serves clients whose sockets the other has.
    for (const worker of workers) worker.postMessage(null);
    await Promise.all(exits);
    control[Symbol.dispose]();
  });

  async function states(): Promise<TestThreadState[]> {
    return await Promise.all(
      workers.map(async (worker) => {
        worker.postMessage('state?');
        return ((await once(worker, 'message')) as [TestThreadState])[0];
      }),
    );
  }
  async function total(what: keyof TestThreadState): Promise<number> {
    return (await states()).reduce((sum, state) => sum + state[what], 0);
  }
  async function open(clientId: string, options: IClientOptions = {}): Promise<MqttClient> {
    return await mqtt.connectAsync(`mqtt://127.0.0.1:${port}`, {
      protocolVersion: 5,
      clientId,
      username: clientId.split('-')[0] ?? '',
      reconnectPeriod: 0,
      ...options,
    });
  }

  it.each([
    { kind: 'sessions that end with their connection', clean: true },
    { kind: 'sessions that are to last', clean: false },
  ])('serve $kind as one broker', async ({ clean }) => {
    const options: IClientOptions = { clean, properties: { sessionExpiryInterval: clean ? 0 : 60 } };
    const ids = Array.from({ length: CLIENTS }, (_, i) => `c-${i}`);
    const clients = await Promise.all(ids.map(async (id) => await open(id, options)));
    const { 0: first, 1: second } = await states();
    expect((first?.sessions ?? 0) + (second?.sessions ?? 0)).toBe(CLIENTS);
    expect(Math.min(first?.sessions ?? 0, second?.sessions ?? 0)).toBeGreaterThan(0);
    if (!reusePort) expect([first?.sockets, second?.sockets]).toEqual([CLIENTS, 0]);
    // Each relayed connection has an end in both.
    expect(first?.relayed).toBe(second?.relayed);
    if (!clean) {
      const atHome = [0, 1].map((thread) => ids.filter((id) => slotOf(id) % 2 === thread).length);
      expect([first?.sessions, second?.sessions]).toEqual(atHome);
    } else expect(first?.relayed).toBe(reusePort ? 0 : CLIENTS / 2);

    // Every client gets what every client publishes, in each publisher's order, once.
    const got = clients.map((): string[] => []);
    for (const [i, client] of clients.entries())
      client.on('message', (topic, payload) => got[i]?.push(`${topic} ${payload.toString()}`));
    await Promise.all(clients.map(async (client) => await client.subscribeAsync('all/+', { qos: 1 })));
    await Promise.all(
      clients.map(async (client, i) => {
        for (let n = 0; n < 5; n++) await client.publishAsync(`all/${i}`, String(n), { qos: 1 });
      }),
    );
    await expect.poll(() => got.map((lines) => lines.length)).toEqual(clients.map(() => CLIENTS * 5));
    for (const lines of got) {
      for (let i = 0; i < CLIENTS; i++) {
        expect(lines.filter((line) => line.startsWith(`all/${i} `))).toEqual([0, 1, 2, 3, 4].map((n) => `all/${i} ${n}`));
      }
    }

    // A client id is one session, wherever the kernel puts its connections.
    const again = await Promise.all(
      clients.map(async (client, i) => {
        const closed = new Promise<void>((resolve) => client.once('close', () => resolve()));
        const next = await open(`c-${i}`, options);
        await closed;
        return next;
      }),
    );
    await expect.poll(async () => await total('sessions')).toBe(CLIENTS);
    expect(again.every(({ connected }) => connected)).toBe(true);

    control.disconnectPrincipal('c');
    await expect.poll(async () => [await total('sockets'), await total('relayed')]).toEqual([0, 0]);
  });

  it('tell all clients when they shut down, also those of the other', async () => {
    const options: IClientOptions = { clean: false, properties: { sessionExpiryInterval: 60 } };
    const clients = await Promise.all(Array.from({ length: 8 }, async (_, i) => await open(`c-${i}`, options)));
    const reasons = clients.map(
      async (client) =>
        await new Promise<number | undefined>((resolve) => {
          client.once('disconnect', ({ reasonCode }) => resolve(reasonCode));
          client.once('close', () => resolve(undefined));
        }),
    );
    for (const worker of workers) worker.postMessage(null);
    expect(await Promise.all(reasons)).toEqual(clients.map(() => 0x8b));
  });
});
